"""The graph of an architecture as SVG: memories and compute nodes as bars, transfers between them.

In: `Acg`. Out: SVG text. Bars lie below one another, off-chip memories first; every transfer has a
place of its own along them, so that no two arrows or labels meet. drawsvg writes the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import drawsvg

from covenant.acg.graph import Acg, Compute, Memory
from covenant.acg.notation import show_size

_FONT, _LINE, _LETTER = 12, 16, 7.3
"""Height of letters, distance of lines, width of a letter of a monospaced font, in pixels."""
_MARGIN, _GAP = 16, 56
_FILL = {True: "#dbe9f6", False: "#fde8cf"}
"""Colours of memories and of compute nodes."""
_TEXT = {"font_family": "monospace"}


@dataclass(frozen=True, slots=True)
class _Bar:
    """A node: its lines of text, the first its name, and from where to where it lies."""

    lines: tuple[str, ...]
    memory: bool
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class _Arrow:
    """What leads from one bar to another, in two lines of text."""

    source: str
    target: str
    label: tuple[str, str]


def svg(acg: Acg) -> str:
    """The whole drawing."""
    bars, arrows = _bars(acg), list(_arrows(acg))
    left = max(len(line) for bar in bars.values() for line in bar.lines) * _LETTER + 2 * _MARGIN
    pitch = max((len(text) for arrow in arrows for text in arrow.label), default=0) * _LETTER + 16
    width = left + pitch * len(arrows) + 2 * _MARGIN
    drawing = drawsvg.Drawing(round(width), round(max(b.bottom for b in bars.values()) + _MARGIN))
    drawing.append(drawsvg.Title(f"{acg.name}: {acg.description}".removesuffix(": ")))
    drawing.append(drawsvg.Rectangle(0, 0, drawing.width, drawing.height, fill="white"))
    for number, arrow in enumerate(arrows):
        _draw_arrow(drawing, arrow, bars, left + pitch * number)
    for bar in bars.values():
        _draw_bar(drawing, bar, width - 2 * _MARGIN)
    return str(drawing.as_svg()) + "\n"


def _bars(acg: Acg) -> dict[str, _Bar]:
    """Off-chip memories, those on the chip, compute nodes; a chained node below its first."""
    heads = [node.name for node in acg.computes if not node.after]
    texts = [(m.name, _memory_lines(m), True) for m in (*acg.off_chip, *acg.on_chip)]
    texts += [(c.name, _compute_lines(c), False) for h in heads for c in acg.chain(h)]
    found: dict[str, _Bar] = {}
    top = float(_MARGIN)
    for name, lines, memory in texts:
        found[name] = _Bar(lines, memory, top, top + _LINE * len(lines) + 8)
        top = found[name].bottom + _GAP
    return found


def _memory_lines(memory: Memory) -> tuple[str, ...]:
    where = "off-chip, " if memory.off_chip else ""
    each = f" per {', '.join(map(str, memory.per))}" if memory.per else ""
    words = f"{where}{memory.banks} x {memory.word_bytes} B"
    return memory.name, f"{show_size(memory.size_bytes)}{each}, {words}"


def _compute_lines(compute: Compute) -> tuple[str, ...]:
    found = [compute.name]
    for capability in compute.capabilities:
        extents = " ".join(f"{dim}={extent}" for dim, extent in capability.extents.items())
        found.append(f"{capability.name} ({extents}): {capability.statement}")
    return tuple(found)


def _arrows(acg: Acg) -> Iterator[_Arrow]:
    for each in acg.transfers:
        many = f"{each.name} x {each.channels}" if each.channels > 1 else each.name
        yield _Arrow(each.source, each.target, (many, f"{each.bytes_per_cycle} B/cycle"))
    for compute in acg.computes:
        if compute.after:
            yield _Arrow(compute.after, compute.name, ("", "chained"))


def _draw_arrow(drawing: drawsvg.Drawing, arrow: _Arrow, bars: dict[str, _Bar], x: float) -> None:
    """Straight up or down; bars in between are drawn over it. The label stands at its end."""
    source, target = bars[arrow.source], bars[arrow.target]
    down = target.top > source.top
    start, end = (source.bottom, target.top) if down else (source.top, target.bottom)
    tip = end - 8 if down else end + 8
    drawing.append(drawsvg.Line(x, start, x, tip, stroke="black"))
    drawing.append(drawsvg.Lines(x, end, x - 4, tip, x + 4, tip, fill="black", close=True))
    drawing.append(drawsvg.Circle(x, start, 2.5, fill="black"))
    first = end - 28 if down else end + 24
    for number, text in enumerate(arrow.label):
        drawing.append(drawsvg.Text(text, _FONT, x + 6, first + 14 * number, **_TEXT))


def _draw_bar(drawing: drawsvg.Drawing, bar: _Bar, width: float) -> None:
    height = bar.bottom - bar.top
    fill = _FILL[bar.memory]
    drawing.append(
        drawsvg.Rectangle(_MARGIN, bar.top, width, height, rx=4, fill=fill, stroke="black")
    )
    for number, line in enumerate(bar.lines):
        weight = "normal" if number else "bold"
        y = bar.top + _LINE * (number + 1)
        text = drawsvg.Text(line, _FONT, _MARGIN + 8, y, font_weight=weight, **_TEXT)
        drawing.append(text)
