"""JSON Schema (draft-07) of architecture files, for editors.

In: the models of `acg.sections`. Out: a plain dict. A file that `extends` another may leave out any
key and set any key to null; every value may be written as `${parameter}`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from covenant.acg.compose import ADDS
from covenant.acg.sections import ArchitectureSection
from covenant.acg.shared import DEFAULTS, LIKE

Json: TypeAlias = "dict[str, Any]"

_HOLE = {"type": "string", "pattern": r"\$\{.*\}"}
_NOTES = ("description", "default")
_DEFAULTS = "#/definitions/PartialCapabilitySection"
_FIRST: Json = {
    "extends": {
        "type": "string",
        "description": "architecture to start from: a shipped name or a path; null removes a key",
    },
    "copies": {
        "type": "object",
        "description": "further nodes that are like others, as lists of nodes by suffix: "
        '`{"2": [gemm, stream_a]}` adds gemm2 and stream_a2, with their unit and semaphores',
        "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "parameters": {
        "type": "object",
        "description": "names and defaults of `${name}`; `--set name=value` overrides them",
        "additionalProperties": {"type": ["integer", "number", "boolean", "string"]},
    },
}


def json_schema() -> Json:
    """The schema; validates files before parameters are filled in."""
    model = ArchitectureSection.model_json_schema(ref_template="#/definitions/{model}")
    definitions: Json = model.pop("$defs")
    definitions["ArchitectureSection"] = model
    model["properties"] = _FIRST | model["properties"]
    shared = definitions["ComputeSection"]["properties"]
    description = shared[DEFAULTS]["description"]
    shared[DEFAULTS] = {"$ref": _DEFAULTS, "description": description}
    complete = {
        name: _unless_inheriting(name, _adapt(each, "", False))
        for name, each in definitions.items()
    }
    partial = {
        f"Partial{name}": _with_additions(_adapt(each, "Partial", True))
        for name, each in definitions.items()
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "covenant architecture",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/definitions/PartialArchitectureSection"},
        "else": {"$ref": "#/definitions/ArchitectureSection"},
        "definitions": complete | partial,
    }


def _unless_inheriting(name: str, section: Json) -> Json:
    """A section that may leave out what another entry or its defaults give."""
    keys = [key for key in (LIKE, DEFAULTS) if key in section.get("properties", {})]
    if not keys:
        return section
    given = {"anyOf": [{"required": [key]} for key in keys]}
    return {"if": given, "then": {"$ref": f"#/definitions/Partial{name}"}, "else": section}


def _with_additions(section: Json) -> Json:
    """A partial section that may also add to its lists."""
    properties = section.get("properties", {})
    lists = {
        key + ADDS: each
        for key, each in properties.items()
        if any(choice.get("type") == "array" for choice in each.get("anyOf", ()))
    }
    return {**section, "properties": properties | lists} if lists else section


def _adapt(node: Any, prefix: str, partial: bool) -> Any:
    """A definition in draft-07 form; partial ones require nothing."""
    if isinstance(node, list):
        return [_adapt(each, prefix, partial) for each in node]
    if not isinstance(node, dict):
        return node
    node = _named_entries(node)
    adapted = {key: _value(key, each, prefix, partial) for key, each in node.items()}
    adapted.pop("title", None)
    if partial:
        adapted.pop("required", None)
    if "$ref" in adapted:
        reference = adapted.pop("$ref")
        if reference != _DEFAULTS:
            reference = reference.replace("definitions/", f"definitions/{prefix}")
        return {"allOf": [{"$ref": reference}], **adapted} if adapted else {"$ref": reference}
    if adapted.get("type") in ("integer", "boolean") or "enum" in adapted or "const" in adapted:
        return _or_hole(adapted)
    return adapted


def _named_entries(node: Json) -> Json:
    """A table of names with its one pattern as `propertyNames`, so that other names are errors."""
    if "patternProperties" not in node:
        return node
    ((pattern, entry),) = node["patternProperties"].items()
    rest = {key: each for key, each in node.items() if key != "patternProperties"}
    return {**rest, "propertyNames": {"pattern": pattern}, "additionalProperties": entry}


def _value(key: str, node: Any, prefix: str, partial: bool) -> Any:
    match key:
        case "properties":
            return {name: _property(each, prefix, partial) for name, each in node.items()}
        case "pattern":
            return rf"(?:{node})|\$\{{"
        case "default" | "enum" | "const" | "required":
            return node
        case "additionalProperties" if isinstance(node, dict):
            return _property(node, prefix, partial)
        case _:
            return _adapt(node, prefix, partial)


def _property(node: Json, prefix: str, partial: bool) -> Json:
    adapted: Json = _adapt(node, prefix, partial)
    if not partial:
        return adapted
    notes = {key: adapted.pop(key) for key in _NOTES if key in adapted}
    return {"anyOf": [adapted, {"type": "null"}], **notes}


def _or_hole(node: Json) -> Json:
    notes = {key: node.pop(key) for key in _NOTES if key in node}
    return {"anyOf": [node, _HOLE], **notes}
