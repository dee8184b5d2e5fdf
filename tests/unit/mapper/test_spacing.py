"""Positions that no iteration touches: found by walking all of them; absent from tiles, bounds."""

from __future__ import annotations

import itertools
from math import prod

import pytest

from codelet_runs import Image2d, table
from covenant.codelets.ir import Codelet
from covenant.codelets.parser import parse_codelet
from covenant.mapper.cost import evaluate
from covenant.mapper.operands import operands
from covenant.mapper.solve import solve
from covenant.mapper.spacing import touched_elements
from covenant.mapper.streams import binding_of
from mapper_samples import conv, gemm, snax

LAYERS = [
    conv(8, 8, 9, 1, 2, 0),
    conv(8, 8, 7, 1, 3, 2),
    conv(8, 8, 10, 2, 3, 0),
    conv(8, 16, 9, 3, 2),
    gemm(5, 8, 8),
]


def _touched(codelet: Codelet, name: str) -> list[set[int]]:
    """Positions of every axis of a tensor that some iteration reads."""
    tensor = codelet.tensor(name)
    ref = next(r for s in codelet.steps for r in s.refs if r.name == name)
    found = []
    for index, size in zip(ref.indices, tensor.shape, strict=True):
        ranges = [range(codelet.extents[d]) for d in index.dims]
        points = itertools.product(*ranges)
        at = {index.evaluate(dict(zip(index.dims, p, strict=True))) for p in points}
        found.append({p for p in at if 0 <= p < size})
    return found


@pytest.mark.parametrize("codelet", LAYERS, ids=lambda c: c.name)
def test_touched_elements_are_those_that_iterations_read(codelet: Codelet) -> None:
    expected = prod(len(axis) for axis in _touched(codelet, "x"))
    assert touched_elements(codelet, codelet.tensor("x")) == expected


@pytest.mark.parametrize("codelet", LAYERS[:2], ids=lambda c: c.name)
def test_rows_that_nothing_touches_have_no_place_and_are_not_loaded(codelet: Codelet) -> None:
    acg = snax()
    mapping = solve(codelet, acg)
    operand = next(o for o in operands(codelet, acg, binding_of(mapping)) if o.port == "a")
    part = next(a for a in mapping.placement("a").layout.axes if a.axis == 3)
    assert operand.every == (1, 1, 1, part.step, 1)
    assert part.extent == codelet.extents["oy"]
    cost = evaluate(mapping, codelet, acg)
    lines = len(_touched(codelet, "x")[3])
    assert cost.dram_read_bytes <= lines * 9 * 8 + 64 + 72
    assert cost.roofline_cycles <= cost.latency


def test_table_is_read_as_a_whole() -> None:
    codelet = parse_codelet(table(Image2d(1, 8, 3, 3)))
    assert touched_elements(codelet, codelet.tensor("t")) == codelet.tensor("t").elements
