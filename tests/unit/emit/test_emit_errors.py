"""Every error of the emitter and the interpreter, as a user sees it: one golden per code."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from covenant.acg.control import Control
from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.parser import parse_codelet
from covenant.core.diagnostics import CovenantError, Span
from covenant.core.resources import architectures_directory
from covenant.emit.check import verify_image
from covenant.emit.encode import decode, encode
from covenant.emit.files import read_images
from covenant.emit.host.tape import build_tape
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.emit.phases import split
from covenant.emit.program import Halt, Instruction, Launch, Write
from covenant.mapper.solve import solve
from covenant.sim.interpret import Interpreter
from handmade import conv_layer, gemm_layer, map_by_hand

ROOT = Path(__file__).parents[3]
ERRORS = Path(__file__).parents[2] / "errors"


def acg() -> Acg:
    return read_architecture("snax")


def control() -> Control:
    found = acg().control
    assert found is not None
    return found


def image_of(machine: Acg) -> Image:
    layer = gemm_layer(8, 8, 8)
    mapping = map_by_hand(layer.codelet, machine)
    program = lower(mapping, layer.codelet, machine)
    return build_image(program, mapping, layer.codelet, machine, layer.constants)


def program_too_large() -> None:
    encode((Launch("gemm"),) * 20, replace(control(), program_words=16))


def transfer_cannot_fill() -> None:
    machine = acg()
    units = tuple(
        replace(u, registers=tuple(r for r in u.registers if r.quantity != "fill"))
        for u in control().units
    )
    layer = conv_layer()
    bare = replace(machine, control=replace(control(), units=units))
    lower(map_by_hand(layer.codelet, bare), layer.codelet, bare)


def value_too_wide() -> None:
    encode((Write("load0", "src.base", 1 << 33),), control())


def word_is_no_instruction() -> None:
    decode((15 << 60, 11 << 60), control())


def tile_needs_more_loops() -> None:
    layer = conv_layer((2, 32, 13, 11), 32, group=2)
    machine = acg()
    lower(map_by_hand(layer.codelet, machine, {"oy": 3}), layer.codelet, machine)


def program_without_halt() -> None:
    image = image_of(acg())
    verify_image(replace(image, words=image.words[:-1]), acg())


def no_saved_program() -> None:
    read_images(Path("nowhere"))


def input_of_another_shape() -> None:
    image_of(acg()).dram({"x": np.zeros((1, 8, 9), np.int8)})


def tensors_larger_than_memory() -> None:
    machine = acg()
    memories = tuple(replace(m, size_bytes=256) if m.off_chip else m for m in machine.memories)
    image_of(replace(machine, memories=memories))


def operand_does_not_stay() -> None:
    layer = gemm_layer(16, 16, 16)
    split(map_by_hand(layer.codelet, acg(), {"m": 8}), layer.codelet, acg())


def address_of_no_tensor() -> None:
    values = (("src.base", 4096), ("bound[0]", 1), ("run", 1), ("dst.base", 0), ("fill", 0))
    gemmini = read_architecture("gemmini")
    assert gemmini.control is not None
    load = Instruction("mvin", "load_a", values, launches=True)
    build_tape(encode((load, Halt()), gemmini.control), gemmini, [], {})


def scale_that_no_float_stands_for() -> None:
    gemmini = read_architecture("gemmini", {"control.host.shares": "[]"})
    text = """codelet gemm "halves"
dims b=1 m=1 n=16 k=16
input x int8[1,1,16]
constant w int8[1,16,16]
constant scale float32[16] uniform
output y int8[1,1,16]
local acc int32[1,1,16]
acc[b,m,n] += x[b,m,k] * w[b,k,n]
y[b,m,n] = clip(requantise(acc[b,m,n], scale[n], 0), -128, 127)
"""
    codelet = parse_codelet(text)
    scale = np.full(16, 1 / 82, np.float32)
    constants = {"w": np.ones((1, 16, 16), np.int8), "scale": scale}
    lower(solve(codelet, gemmini), codelet, gemmini, payloads=constants)


def interpreter_without_control_node() -> None:
    Interpreter(replace(acg(), control=None))


def deadlock() -> None:
    words = encode((Launch("store0", ("y_full",)), Halt()), control())
    Interpreter(acg()).run(words, np.zeros(64, np.uint8))


def address_outside_memory() -> None:
    words = encode((Write("load0", "src.base", 4096), Launch("load0"), Halt()), control())
    Interpreter(acg()).run(words, np.zeros(64, np.uint8))


CASES: dict[str, Callable[[], None]] = {
    "EMI001": program_too_large,
    "EMI002": transfer_cannot_fill,
    "EMI003": value_too_wide,
    "EMI004": word_is_no_instruction,
    "EMI005": tile_needs_more_loops,
    "EMI006": program_without_halt,
    "EMI007": no_saved_program,
    "EMI008": input_of_another_shape,
    "EMI009": tensors_larger_than_memory,
    "EMI010": operand_does_not_stay,
    "EMI011": address_of_no_tensor,
    "EMI012": scale_that_no_float_stands_for,
    "SIM010": interpreter_without_control_node,
    "SIM011": deadlock,
    "SIM012": address_outside_memory,
}


@pytest.mark.parametrize("code", CASES)
def test_error_reads_as_recorded(code: str, golden: Callable[[Path, str], None]) -> None:
    case = CASES[code]
    with pytest.raises(CovenantError) as caught:
        case()
    assert {d.code for d in caught.value.diagnostics} == {code}
    # Places in the shipped architecture move when it is edited: they are checked to exist only.
    found = [replace(d, span=Span(d.span.file)) for d in caught.value.diagnostics]
    assert all(d.span.line for d in caught.value.diagnostics if d.span.file.endswith(".yaml")) or (
        code == "SIM010"
    )
    text = "\n".join(map(str, found)).replace(str(architectures_directory()), "architectures")
    golden(ERRORS / code / "expected.txt", f"# {case.__name__}\n{text}\n")


def test_every_code_of_the_emitter_has_a_case() -> None:
    sources = [*(ROOT / "covenant/emit").rglob("*.py"), ROOT / "covenant/sim/interpret.py"]
    used = {code for f in sources for code in re.findall(r'"((?:EMI|SIM)\d{3})"', f.read_text())}
    assert used == set(CASES)
