"""The generated package: every number comes from the YAML; what the RTL cannot be is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.core.resources import rtl_directory
from covenant.emit.rtl_config import rtl_config
from covenant.sim.cluster import COUNTERS

GOLDEN = Path(__file__).parents[2] / "golden" / "rtl_config.sv"
ERRORS = Path(__file__).parents[2] / "errors"


def number(text: str, name: str) -> int:
    found = re.search(rf"localparam int unsigned {name}(?:\[1\])? = (?:'\{{)?(\d+)", text)
    assert found, name
    return int(found[1])


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("l1.size=64KiB", "L1Words", 8192),
        ("l1.banks=64", "L1Banks", 64),
        ("load.outstanding=16", "LoadOutstanding", 16),
        ("stream_b.fifo_depth=5", "GemmFifoDepthB", 5),
        ("control.program_words=1024", "ProgramWords", 1024),
        ("control.queue_depth=2", "QueueDepth", 2),
        ("control.loop_depth=3", "LoopDepth", 3),
        ("post.requantise.extents.n=2", "GemmRequantiseColumns", 2),
    ],
)
def test_number_follows_the_yaml(setting: str, name: str, value: int) -> None:
    path, _, text = setting.partition("=")
    plain, changed = (rtl_config(read_architecture("snax", s)) for s in ({}, {path: text}))
    assert number(changed, name) == value
    assert number(plain, name) != value


@pytest.mark.parametrize("stall", ["none", "launch", "write", "barrier"])
def test_stall_follows_the_yaml(stall: str) -> None:
    text = rtl_config(read_architecture("snax", {"control.stall": stall}))
    assert f"cvn_command_pkg::Stall{stall.capitalize()};" in text


def test_array_shape_follows_the_yaml() -> None:
    shape = {"gemm.matmul.extents": "{m: 16, n: 8, k: 4}", "l1.banks": "64"}
    text = rtl_config(read_architecture("snax", shape))
    assert [number(text, f"Gemm{dim}") for dim in "MNK"] == [16, 8, 4]


def test_every_register_keeps_its_reset_value() -> None:
    acg = read_architecture("snax")
    assert acg.control is not None
    text = rtl_config(acg)
    for role, name in (("Gemm", "gemm"), ("Load", "load0"), ("Store", "store1")):
        unit = next(unit for unit in acg.control.units if unit.name == name)
        body = re.search(rf"{role}Reset(?:\[1\])? = (?:'\{{)?\{{(.*?)\}}+;", text, re.S)
        assert body
        values = [int(value, 16) for value in re.findall(r"32'h([0-9a-f]+)", body[1])]
        assert values[::-1] == [register.reset for register in unit.registers]


def test_package_of_the_default_cluster_equals_golden(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, "// $ covenant arch rtl snax\n" + rtl_config(read_architecture("snax")))


def test_counters_have_the_order_of_the_rtl() -> None:
    text = (rtl_directory() / "pkg" / "cvn_pkg.sv").read_text()
    enum = re.search(r"typedef enum int unsigned \{([^}]*Counter[^}]*)\} counter_e", text)
    assert enum
    names = re.findall(r"Counter(\w+)\s*=\s*(\d+)", enum[1])
    snake = [re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name, _ in names]
    assert [int(index) for _, index in names] == list(range(len(names)))
    assert tuple(snake) == COUNTERS


def swapped_registers(acg: Acg) -> Acg:
    assert acg.control is not None
    unit, *others = acg.control.units
    first, second, *rest = unit.registers
    registers = (replace(second, index=0), replace(first, index=1), *rest)
    changed = replace(unit, registers=registers)
    return replace(acg, control=replace(acg.control, units=(changed, *others)))


def test_architecture_outside_the_family_is_refused(golden: Callable[[Path, str], None]) -> None:
    acg = replace(read_architecture("snax"), rtl={}, file="mine.yaml")
    with pytest.raises(CovenantError) as caught:
        rtl_config(acg)
    golden(ERRORS / "RTL001" / "expected.txt", f"# rtl_config\n{caught.value}\n")


def test_registers_in_an_order_the_rtl_does_not_have_are_refused() -> None:
    with pytest.raises(CovenantError, match="the cluster expects there"):
        rtl_config(swapped_registers(read_architecture("snax")))


def test_two_channels_with_different_registers_are_refused() -> None:
    acg = read_architecture("snax")
    assert acg.control is not None
    units = tuple(
        replace(unit, registers=unit.registers[:-1]) if unit.name == "store1" else unit
        for unit in acg.control.units
    )
    with pytest.raises(CovenantError, match="does not follow"):
        rtl_config(replace(acg, control=replace(acg.control, units=units)))
