"""Pins from YAML: structure only; `pins_check` knows layers and architectures.

In: a file such as

    pins: 1
    layers:
      - name: "layer1.*"       # which layers: globs of node name and operator,
        op: "*"
        where: {oc: {min: 64}} # ranges of extents; all three are optional
        binding: {node: gemm, dims: {m: ox}, rows: oy} # of the first step; a list names several
        fused: [c, fx]                           # dims that run as one; []: none
        tiles: {oc: 32, ox: {max: 14}}           # or by memory: {l1: {oc: 32}}; `whole` is allowed
        order: [oc, ox, oy]                      # outermost first; loops left out lie anywhere
        operands: {w: {resident: true}, x: {copies: 2, outside: [ox, oy]}}
        banks: {l1: shared}

Out: a `PinFile`, or every fault with its place (MAP020).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from covenant.core.diagnostics import CovenantError, Diagnostic, Span, did_you_mean
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable, plain, read_yaml
from covenant.mapper.pins import (
    AddressPin,
    BanksPin,
    BindPin,
    CopiesPin,
    CutPin,
    Decision,
    Entry,
    FusePin,
    MemoryPin,
    OrderPin,
    Pin,
    PinFile,
    Range,
    TilePin,
)

VERSION = 1
_ENTRY = ("name", "op", "where", "fused", "binding", "tiles", "order", "operands", "banks")
_STEP = ("node", "capability", "dims", "rows", "tail")
_OPERAND = ("memory", "resident", "outside", "inside", "copies", "address")


def read_pins(path: Path) -> PinFile:
    """Read one file; raises CovenantError with every finding."""
    return parse_pins(read_yaml(path))


def parse_pins(tree: Tree) -> PinFile:
    """The same for a tree that was read."""
    reader = _Reader()
    entries = tuple(reader.entries(tree))
    if reader.findings:
        raise CovenantError(sorted(reader.findings, key=lambda f: (f.span.line, f.span.column)))
    return PinFile(tree.span.file, entries)


class _FaultError(Exception):
    """Something is not as expected; one pin is lost, the others are read on."""

    def __init__(self, message: str, span: Span, repair: str) -> None:
        super().__init__(message)
        self.finding = Diagnostic("MAP020", message, span, repair)


class _Reader:
    """Collects faults; every method yields the pins of one part of an entry."""

    def __init__(self) -> None:
        self.findings: list[Diagnostic] = []

    def entries(self, tree: Tree) -> Iterator[Entry]:
        try:
            top = _table(tree, "a pins file")
            self._known(top, ("pins", "layers"))
            version = top.get("pins")
            if version is None or plain(version) != VERSION:
                span = tree.span if version is None else version.span
                raise _FaultError("the version of the format is missing", span, "write `pins: 1`")
            layers = top.get("layers")
            items = _list(layers, "`layers`") if layers is not None else ()
        except _FaultError as fault:
            self.findings.append(fault.finding)
            return
        for item in items:
            try:
                yield self._entry(_table(item, "an entry of `layers`"))
            except _FaultError as fault:
                self.findings.append(fault.finding)

    def _entry(self, table: YamlTable) -> Entry:
        self._known(table, _ENTRY)
        parts = (
            ("fused", self._fused),
            ("binding", self._binding),
            ("tiles", self._tiles),
            ("order", self._order),
            ("operands", self._operands),
            ("banks", self._banks),
        )
        pins: list[Pin] = []
        for key, read in parts:
            value = table.get(key)
            if value is None:
                continue
            try:
                pins += list(read(value))
            except _FaultError as fault:
                self.findings.append(fault.finding)
        return Entry(
            _word(table.get("name")), _word(table.get("op")), self._where(table), tuple(pins),
            table.span,
        )  # fmt: skip

    def _known(self, table: YamlTable, known: tuple[str, ...]) -> None:
        for key, _ in table.entries:
            if key.text not in known:
                message = f"unknown key '{key.text}'"
                self.findings.append(
                    Diagnostic("MAP020", message, key.span, did_you_mean(key.text, known))
                )

    def _where(self, table: YamlTable) -> tuple[Range, ...]:
        where = table.get("where")
        if where is None:
            return ()
        found = []
        for key, value in _table(where, "`where`").entries:
            low, high = self._range(value)
            found.append(Range(key.text, 1 if low is None else low, high))
        return tuple(found)

    def _fused(self, value: Tree) -> Iterator[Pin]:
        yield _pin("fused", FusePin(_words(value)), value)

    def _binding(self, value: Tree) -> Iterator[Pin]:
        items = value.items if isinstance(value, YamlList) else (value,)
        for step, item in enumerate(items):
            table = _table(item, "a step of `binding`")
            self._known(table, _STEP)
            head = f"binding.{step}" if len(items) > 1 else "binding.0"
            for key in ("node", "capability", "rows", "tail"):
                part = table.get(key)
                if part is not None:
                    word = _word(part)
                    yield _pin(f"{head}.{key}", BindPin(step, key, word), part)
            dims = table.get("dims")
            if dims is not None:
                for name, bound in _table(dims, "`dims`").entries:
                    decision = BindPin(step, f"dims.{name.text}", _word(bound))
                    yield _pin(f"{head}.dims.{name.text}", decision, bound)

    def _tiles(self, value: Tree) -> Iterator[Pin]:
        for key, tile in _table(value, "`tiles`").entries:
            if isinstance(tile, YamlTable) and not _is_range(tile):
                for dim, inner in tile.entries:
                    yield self._tile(key.text, dim.text, inner)
            else:
                yield self._tile("", key.text, tile)

    def _tile(self, memory: str, dim: str, value: Tree) -> Pin:
        low, high = (None, None) if plain(value) == "whole" else self._range(value)
        path = ".".join(p for p in ("tiles", memory, dim) if p)
        return _pin(path, TilePin(memory, dim, low, high), value)

    def _range(self, value: Tree) -> tuple[int | None, int | None]:
        """`32`, `{min: 4}`, `{max: 64}` or both."""
        if isinstance(value, YamlTable):
            self._known(value, ("min", "max"))
            ends = {key.text: _number(inner) for key, inner in value.entries}
            low, high = ends.get("min", 1), ends.get("max")
            if high is not None and high < low:
                message = f"no number is at least {low} and at most {high}"
                raise _FaultError(message, value.span, "swap `min` and `max`")
            return low, high
        number = _number(value)
        return number, number

    def _order(self, value: Tree) -> Iterator[Pin]:
        if isinstance(value, YamlList):
            yield _pin("order", OrderPin("", _words(value)), value)
            return
        for key, dims in _table(value, "`order`").entries:
            yield _pin(f"order.{key.text}", OrderPin(key.text, _words(dims)), dims)

    def _operands(self, value: Tree) -> Iterator[Pin]:
        for key, given in _table(value, "`operands`").entries:
            items = given.items if isinstance(given, YamlList) else (given,)
            for item in items:
                yield from self._operand(key.text, _table(item, f"operand '{key.text}'"))

    def _operand(self, name: str, table: YamlTable) -> Iterator[Pin]:
        self._known(table, _OPERAND)
        memory = _word(table.get("memory"))
        head = ".".join(p for p in ("operands", name, memory) if p)
        found: dict[str, Decision] = {}
        if memory:
            found["memory"] = MemoryPin(name, memory)
        for key, value in table.entries:
            match key.text:
                case "resident":
                    if plain(value) is not True:
                        raise _FaultError(
                            "`resident` is true or left out", value.span, "write `true`"
                        )
                    found["resident"] = CutPin(name, memory, ())
                case "outside":
                    found["outside"] = CutPin(name, memory, _words(value))
                case "inside":
                    found["inside"] = CutPin(name, memory, None, _words(value))
                case "copies":
                    if plain(value) not in (1, 2):
                        raise _FaultError("copies are 1 or 2", value.span, "write `copies: 2`")
                    found["copies"] = CopiesPin(name, memory, _number(value))
                case "address":
                    items = value.items if isinstance(value, YamlList) else (value,)
                    at = tuple(_number(item, least=0) for item in items)
                    found["address"] = AddressPin(name, memory, at)
                case _:
                    pass
        for part, decision in found.items():
            written = table.get(part)
            assert written is not None
            yield _pin(f"{head}.{part}", decision, written)

    def _banks(self, value: Tree) -> Iterator[Pin]:
        for key, given in _table(value, "`banks`").entries:
            path = f"banks.{key.text}"
            if plain(given) == "shared":
                yield _pin(path, BanksPin(key.text, ()), given)
                continue
            table = _table(given, "banks of a memory", "write `shared` or `{groups: {a: [0, 2]}}`")
            self._known(table, ("groups", "host"))
            groups = []
            parts = table.get("groups")
            for port, pair in _table(parts, "`groups`").entries if parts is not None else ():
                numbers = [_number(n, least=0) for n in _list(pair, "a group")]
                if len(numbers) != 2:
                    message = "a group is the first one and how many there are"
                    raise _FaultError(message, pair.span, "write `[0, 2]`")
                groups.append((port.text, numbers[0], numbers[1]))
            yield _pin(path, BanksPin(key.text, tuple(groups), _word(table.get("host"))), given)


def _pin(path: str, decision: Decision, value: Tree) -> Pin:
    return Pin(path, written(value), decision, value.span)


def written(value: Tree) -> str:
    """A value in flow style, as a person writes it."""
    match value:
        case YamlScalar():
            return value.text
        case YamlList(items):
            return f"[{', '.join(written(i) for i in items)}]"
        case YamlTable(entries):
            return f"{{{', '.join(f'{k.text}: {written(v)}' for k, v in entries)}}}"


def _is_range(table: YamlTable) -> bool:
    return bool(table.entries) and {k.text for k, _ in table.entries} <= {"min", "max"}


def _table(tree: Tree, what: str, repair: str = "write `key: value` lines") -> YamlTable:
    if not isinstance(tree, YamlTable):
        raise _FaultError(f"{what} is a table of keys", tree.span, repair)
    return tree


def _list(tree: Tree, what: str) -> tuple[Tree, ...]:
    if not isinstance(tree, YamlList):
        raise _FaultError(
            f"{what} is a list", tree.span, "write `[…]` or lines that start with `- `"
        )
    return tree.items


def _word(tree: Tree | None) -> str:
    if tree is None:
        return ""
    if not isinstance(tree, YamlScalar) or not tree.text:
        raise _FaultError("a name is expected here", tree.span, "write one word, quoted if need be")
    return tree.text


def _words(tree: Tree) -> tuple[str, ...]:
    words = tuple(_word(item) for item in _list(tree, "this"))
    twice = next((w for w in words if words.count(w) > 1), None)
    if twice is not None:
        raise _FaultError(f"'{twice}' is listed twice", tree.span, "keep one")
    return words


def _number(tree: Tree, least: int = 1) -> int:
    number = plain(tree)
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        found = f"'{tree.text}'" if isinstance(tree, YamlScalar) else "this"
        raise _FaultError(
            f"{found} is no whole number of at least {least}", tree.span, "write a number"
        )
    return number
