"""Loads of the next tile and results of the last one stand among launches in program order."""

from __future__ import annotations

from covenant.acg.reader import read_architecture
from covenant.codelets.parser import parse_codelet
from covenant.core.yaml_source import parse_yaml
from covenant.emit.lower import invocations
from covenant.emit.ordered import spread
from covenant.emit.program import Invocation
from covenant.mapper.pins_reader import parse_pins
from covenant.mapper.solve import solve

GEMM = """codelet gemm "gemm"
dims b=1 m=96 n=96 k=96
input x int8[1,96,96]
constant w int8[1,96,96]
output y int32[1,96,96]
local acc int32[1,96,96]
acc[b,m,n] += x[b,m,k] * w[b,k,n]
y[b,m,n] = acc[b,m,n]
"""
PINS = "pins: 1\nlayers:\n  - tiles: {m: 48, n: 48, k: 48}\n"


def _one(name: str) -> Invocation:
    return Invocation(name, ())


def _spread(count: int, *others: int) -> str:
    launches = [_one("L")] * count
    lists = [[_one(name)] * n for name, n in zip("ab", others, strict=False)]
    return "".join(x.unit for x in spread(launches, *lists))


def test_spread_is_even_and_keeps_order() -> None:
    assert _spread(6, 2) == "LLaLLaLL"
    assert _spread(4, 1, 1) == "LLabLL"
    assert _spread(1, 3) == "Laaa"
    assert _spread(0, 2) == "aa"


def test_tiles_come_and_go_while_the_array_works() -> None:
    acg, codelet = read_architecture("gemmini"), parse_codelet(GEMM)
    (entry,) = parse_pins(parse_yaml(PINS, "pins.yaml")).entries
    mapping = solve(codelet, acg, pins=entry.pins)
    assert all(p.copies == 2 for p in mapping.placements if p.memory != "dram")
    blocks = [[x.unit for x in block] for block in invocations(mapping, codelet, acg)]
    first, *middle, last, rest = blocks
    assert first[0].startswith("load")
    assert "scale_out" not in first
    for units in (*middle, last):
        moved = [i for i, unit in enumerate(units) if unit != "mesh"]
        assert all("mesh" in units[:i] for i in moved)
        assert all("mesh" in units[i:] for i in moved)
    assert any("scale_out" in units for units in middle)
    assert all("load_b" in units for units in middle)
    assert set(rest) == {"scale_out"}
