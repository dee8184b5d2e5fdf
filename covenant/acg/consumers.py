"""Which packages read an attribute of an architecture, found in their sources.

In: the dotted path of a section and a key of it. Out: names of packages. An attribute counts as
read where its name in the graph is taken from a variable named for its kind, such as
`memory.size_bytes` or `acg.memory(name).size_bytes`; building and printing do not count.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from covenant.acg.folded import FOLD
from covenant.acg.shared import DEFAULTS, LIKE

_PACKAGE = Path(__file__).resolve().parent.parent
_PASSES = ("acg", "mapper", "emit", "sim", "report", "cli")
_NOT_READING = frozenset(
    (
        *("build.py", "dump.py", "printer.py", "svg.py", "sections.py", "control_sections.py"),
        *("fields.py", "consumers.py", "starter.py"),
    )
)

_VARIABLES: dict[str, str] = {
    "": "acg read_architecture",
    "memories.*": "memory stream_memory outer inner home packing off_chip node dram l1 m",
    "transfers.*": "transfer stream t load store each",
    "compute.*": "compute node array main head c n",
    "compute.*.capabilities.*": "capability capability_of main_capability selected first c k",
    "compute.*.capabilities.*.ports.*": "port target_port end p",
    "compute.*.records.*": "record r",
    "control": "control control_of",
    "control.mnemonics.*": "mnemonic form final f m",
    "control.packet": "packet",
    "control.units.*": "unit u each",
    "control.host": "host",
}
"""What variables and functions that hold an object of a section are called."""

_NAMES: dict[tuple[str, str], str] = {
    ("memories.*", "size"): "size_bytes",
    ("memories.*", "latency"): "latency_cycles",
    ("memories.*", "write_latency"): "write_latency_cycles",
    ("memories.*", "bank_group"): "views",
    ("memories.*", "energy"): "read_femtojoules_per_word",
    ("memories.*.energy", "read"): "read_femtojoules_per_word",
    ("memories.*.energy", "write"): "write_femtojoules_per_word",
    ("memories.*.energy", "per"): "read_femtojoules_per_word",
    ("transfers.*", "from"): "source",
    ("transfers.*", "to"): "target",
    ("compute.*.capabilities.*", "semantics"): "statement",
    ("compute.*.capabilities.*", "energy"): "femtojoules_per_step",
    ("", "compute"): "computes",
}
"""Names in the graph where they are not those of the file."""


def consumers(path: str, key: str) -> tuple[str, ...]:
    """Packages that read a key of the section at a path; `check` is `acg.verify`."""
    if key in (LIKE, DEFAULTS, FOLD):
        return ("check",)  # gone once `acg.shared` has carried them out
    if path == "rtl":
        return _with_text(f'rtl["{key}"]')
    attribute = _NAMES.get((path, key), key)
    section = path.removesuffix(".energy")
    bases = _VARIABLES[section].split()
    found = {name for base in bases for name in _read().get((attribute, base), ())}
    return tuple(name for name in ("check", *_PASSES) if name in found)


def _with_text(text: str) -> tuple[str, ...]:
    """Packages whose sources contain a text."""
    found = {name for name, source in _sources() if text in source}
    return tuple(name for name in ("check", *_PASSES) if name in found)


@cache
def _sources() -> tuple[tuple[str, str], ...]:
    found = []
    for name in _PASSES:
        for path in sorted((_PACKAGE / name).rglob("*.py")):
            if name == "acg" and path.name in _NOT_READING:
                continue
            found.append(("check" if name == "acg" else name, path.read_text(encoding="utf-8")))
    return tuple(found)


@cache
def _read() -> dict[tuple[str, str], frozenset[str]]:
    """(attribute, variable it is taken from) -> packages."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, source in _sources():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                found.setdefault((node.attr, _base(node.value)), set()).add(name)
    return {key: frozenset(names) for key, names in found.items()}


def _base(node: ast.expr) -> str:
    """The last name of `memory`, `self.memory`, `acg.memory(name)`."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(_, name):
            return name
        case ast.Call(inner) | ast.Subscript(inner):
            return _base(inner)
        case _:
            return ""
