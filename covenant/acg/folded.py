"""`fold: {m: k}` of a capability: a second one of half the `m` and twice the `k`.

In: the capabilities of a node, and the tree they stand in. Out: the table with `NAME_folded` behind
every capability that says so, and findings. Where half of `m` or whole words of `k` cannot be taken
there is no second capability.
"""

from __future__ import annotations

from covenant.core.diagnostics import Diagnostic, did_you_mean
from covenant.core.dtypes import DType
from covenant.core.yaml_source import Tree, YamlList, YamlScalar, YamlTable

FOLD = "fold"


def folded(capabilities: YamlTable, tree: YamlTable, findings: list[Diagnostic]) -> YamlTable:
    """The capabilities with those that they fold into."""
    entries: list[tuple[YamlScalar, Tree]] = []
    for key, value in capabilities.entries:
        fold = value.get(FOLD) if isinstance(value, YamlTable) else None
        if not isinstance(value, YamlTable) or not isinstance(fold, YamlTable):
            entries.append((key, value))
            continue
        plain = YamlTable(tuple(e for e in value.entries if e[0].text != FOLD), value.span)
        entries.append((key, plain))
        made = _second(plain, fold, tree, findings)
        if made is not None:
            name = f"{key.text}_folded"
            entries.append((YamlScalar(name, name, key.span), made))
    return YamlTable(tuple(entries), capabilities.span)


def _second(
    plain: YamlTable, fold: YamlTable, tree: YamlTable, findings: list[Diagnostic]
) -> YamlTable | None:
    """The capability that one folds into, None where it cannot."""
    extents = plain.get("extents")
    known = [k.text for k, _ in extents.entries] if isinstance(extents, YamlTable) else []
    changed: dict[str, int] = {}
    for half, other in fold.entries:
        for name in (half, other):
            if not isinstance(name, YamlScalar) or name.text not in known:
                text = name.text if isinstance(name, YamlScalar) else "it"
                message = f"'fold' names '{text}', which has no extent"
                repair = did_you_mean(text, known) or "write `fold: {m: k}`"
                findings.append(Diagnostic("ACG046", message, name.span, repair))
                return None
        assert isinstance(other, YamlScalar)
        lanes, depth = _number(extents, half.text), _number(extents, other.text)
        if lanes % 2 or not lanes or not _whole_words(plain, tree, other.text, depth):
            return None
        changed |= {half.text: lanes // 2, other.text: 2 * depth}
    assert isinstance(extents, YamlTable)
    numbers = tuple(
        (k, YamlScalar(changed[k.text], str(changed[k.text]), v.span) if k.text in changed else v)
        for k, v in extents.entries
    )
    second = YamlTable(numbers, extents.span)
    return YamlTable(
        tuple((k, second if k.text == "extents" else v) for k, v in plain.entries), plain.span
    )


def _number(table: Tree | None, key: str) -> int:
    found = table.get(key) if isinstance(table, YamlTable) else None
    value = found.value if isinstance(found, YamlScalar) else 0
    return value if isinstance(value, int) else 0


def _whole_words(plain: YamlTable, tree: YamlTable, dim: str, depth: int) -> bool:
    """Whether every port that packs a dim takes whole memory words of it."""
    ports = plain.get("ports")
    for _, port in ports.entries if isinstance(ports, YamlTable) else ():
        if not isinstance(port, YamlTable):
            continue
        tile, dtypes = port.get("tile"), port.get("dtypes")
        if not isinstance(tile, YamlList) or not isinstance(dtypes, YamlList) or not tile.items:
            continue
        last, kind = tile.items[-1], dtypes.items[0]
        if not isinstance(last, YamlScalar) or last.text != dim or not isinstance(kind, YamlScalar):
            continue
        stream = port.get("stream")
        word = _word(tree, stream.text) if isinstance(stream, YamlScalar) else 0
        width = DType(kind.text).bytes if kind.text in set(DType) else 1
        if word and depth * width % word:
            return False
    return depth > 0


def _word(tree: YamlTable, stream: str) -> int:
    """Bytes of a word of the memory that a stream reads, 0 where none is written."""
    transfers, memories = tree.get("transfers"), tree.get("memories")
    found = transfers.get(stream) if isinstance(transfers, YamlTable) else None
    for end in ("from", "to"):
        name = found.get(end) if isinstance(found, YamlTable) else None
        memory = (
            memories.get(name.text)
            if isinstance(name, YamlScalar) and isinstance(memories, YamlTable)
            else None
        )
        if memory is not None:
            return _number(memory, "word_bytes")
    return 0
