"""pydantic's errors as located diagnostics.

In: a ValidationError and the tree that was validated. Out: one Diagnostic per error, with the key
or value it concerns and what to type instead.
"""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from covenant.acg.places import Places
from covenant.acg.sections import ArchitectureSection
from covenant.core.diagnostics import Diagnostic, Span, did_you_mean
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable

_NOTATIONS = {
    "size": "ACG014",
    "statement": "ACG016",
    "register": "ACG017",
    "bit_field": "ACG018",
    "condition": "ACG019",
}
_TYPES = {
    "int_type": ("an integer", "write a whole number without quotes"),
    "string_type": ("text", "write a name or quoted text"),
    "bool_type": ("true or false", "write `true` or `false`"),
    "list_type": ("a list", "write `[…]`, or items that start with `- `"),
    "dict_type": ("a table of names", "write `{name: …}`, or indented lines `name: …`"),
    "model_type": ("a table of keys", "write `{key: …}`, or indented lines `key: …`"),
}
_EXAMPLES = {
    "size": "write e.g. `128KiB`",
    "statement": "write e.g. `acc[m,n] += a[m,k] * b[k,n]`",
    "register": "write e.g. `a.bound[0..3] = 1`",
    "bit_field": 'write e.g. `"63:60"`, or `"63:60=1"` for an opcode',
    "condition": "write `name comparison number`",
}


_CLOSE = re.compile(r"did you mean '(.*)'\?")
_SIZE = re.compile(r"(\d{1,18})\s*([kmgt])i?b?", re.IGNORECASE | re.ASCII)


def located(error: ValidationError, tree: Tree) -> list[Diagnostic]:
    """Every error of a validation, in file order."""
    places = Places(tree)
    errors = error.errors(include_url=False)
    misspelt = {_meant(each) for each in errors if each["type"] == "extra_forbidden"}
    return [_diagnostic(each, places) for each in errors if each["loc"] not in misspelt]


def _meant(error: ErrorDetails) -> tuple[str | int, ...]:
    """The key that an unknown one is close to: that one is not absent too."""
    *parent, key = error["loc"]
    known = keys_at(tuple(parent))
    found = _CLOSE.fullmatch(did_you_mean(str(key), known))
    return (*parent, found[1] if found else "")


def _diagnostic(error: ErrorDetails, places: Places) -> Diagnostic:
    location, kind = error["loc"], error["type"]
    context = error.get("ctx", {})
    if location and location[-1] == "[key]":
        return _bad_key(location[:-1], str(context.get("problem", "")), places)
    span = places.value(*location)
    if kind == "extra_forbidden":
        return _unknown_key(location, places)
    if kind == "missing":
        return _missing_key(location, places)
    if kind in _NOTATIONS:
        span = _shifted(span, int(context.get("column", 0)), places.node(*location))
        repair = _EXAMPLES[kind]
        node = places.node(*location)
        size = _SIZE.fullmatch(node.text.strip()) if isinstance(node, YamlScalar) else None
        if kind == "size" and size is not None:
            repair = f"write `{size[1]}{size[2].upper()}iB`"
        return Diagnostic(_NOTATIONS[kind], str(context["problem"]), span, repair)
    name = str(location[-1]) if location else "the file"
    found = _describe(places.node(*location))
    if kind in _TYPES:
        expected, repair = _TYPES[kind]
        message = f"{_where(name)}: found {found}, expected {expected}"
        return Diagnostic("ACG012", message, span, repair)
    if kind == "literal_error":
        return _bad_choice(name, found, str(context["expected"]), span)
    if kind.startswith("string_"):
        message = f"{found} is not a name"
        return Diagnostic("ACG015", message, span, "use at most 64 letters, digits and _")
    if kind == "too_long":
        message = f"{_where(name)} has {context['actual_length']} items"
        return Diagnostic("ACG013", message, span, f"give at most {context['max_length']}")
    if kind == "too_short":
        return Diagnostic("ACG013", f"{_where(name)} is empty", span, "give at least one item")
    limit = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    bounds = " and ".join(f"{text} {context[k]}" for k, text in limit.items() if k in context)
    message = f"{_where(name)}: found {found}, expected {bounds or error['msg']}"
    return Diagnostic("ACG013", message, span, f"write {bounds}" if bounds else "")


def _where(name: str) -> str:
    return f"item {name}" if name.isdigit() else f"'{name}'"


def _describe(node: Tree | None) -> str:
    match node:
        case None:
            return "nothing"
        case YamlList():
            return "a list"
        case YamlTable():
            return "a table"
        case YamlScalar(None):
            return "null"
        case YamlScalar(str()):
            return repr(node.text)
        case YamlScalar():
            return node.text


def _bad_key(path: tuple[str | int, ...], problem: str, places: Places) -> Diagnostic:
    message = problem or f"{str(path[-1])!r} is not a name"
    repair = "use letters, digits and _; only units may have a range such as `[0..3]`"
    return Diagnostic("ACG015", message, places.key(*path), repair)


def _unknown_key(path: tuple[str | int, ...], places: Places) -> Diagnostic:
    key = str(path[-1])
    known = keys_at(path[:-1])
    return Diagnostic("ACG010", f"unknown key '{key}'", places.key(*path), did_you_mean(key, known))


def _missing_key(path: tuple[str | int, ...], places: Places) -> Diagnostic:
    key = str(path[-1])
    owner = f"'{path[-2]}'" if len(path) > 1 else "the architecture"
    description = keys_at(path[:-1]).get(key, "")
    return Diagnostic(
        "ACG011",
        f"{owner} lacks the key '{key}'",
        places.key(*path[:-1]),
        f"add `{key}: …` ({description})",
    )


def _bad_choice(name: str, found: str, expected: str, span: Span) -> Diagnostic:
    choices = re.findall(r"'([^']*)'", expected) or [expected]
    message = f"{_where(name)}: {found} is not one of the choices"
    return Diagnostic("ACG013", message, span, did_you_mean(found.strip("'"), choices))


def _shifted(span: Span, column: int, node: Tree | None) -> Span:
    """The span of one character inside a single-line scalar; the whole scalar when unsure."""
    if not column or not isinstance(node, YamlScalar) or not span.line:
        return span
    start = span.source.find(node.text, span.column - 1)
    if start < 0:
        return span
    at = start + column
    return Span(span.file, span.line, at, at + 1, span.source)


def keys_at(path: tuple[str | int, ...]) -> dict[str, str]:
    """Keys and descriptions of the section at a path of the schema; empty for tables of names."""
    annotation: Any = ArchitectureSection
    for part in path:
        annotation = _inside(_bare(annotation), str(part))
    model = _bare(annotation)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {f.alias or name: f.description or "" for name, f in model.model_fields.items()}


def _inside(annotation: Any, part: str) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
        return None
    arguments = get_args(annotation)
    return arguments[-1] if arguments else None


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = get_args(annotation)[0]
    return annotation
