"""C programs: the tape expands to the words, and `program.c` computes what ONNX Runtime does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gemmini_runs
from covenant import pipeline
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.parser import parse_codelet
from covenant.emit.host.loops import loops_of
from covenant.report.request import MapOptions
from onnx_models import float_conv, float_gemm, quantised
from onnx_nodes import Case, Quant, matmul_integer, node_case, qlinear_conv, qlinear_matmul
from quantised_nodes import Scale, qdq

Array = NDArray[Any]


def _integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-128, 128, shape, np.int8)


def _named(x: Array, w: Array, depth: int, point: int) -> list[tuple[str, Array | None]]:
    zero = np.asarray(0, np.int8)
    scale = np.asarray(0.02 * 0.03 * 90 * depth**0.5, np.float32)
    return [
        ("x", x),
        ("x_scale", np.asarray(0.02, np.float32)),
        ("x_point", np.asarray(point, np.int8)),
        ("w", w),
        ("w_scale", np.asarray(0.03, np.float32)),
        ("w_point", zero),
        ("y_scale", scale),
        ("y_point", zero),
    ]


def _matmul(m: int, k: int, n: int, *, point: int = 0, batch: tuple[int, ...] = ()) -> Case:
    rng = np.random.default_rng(m)
    x, w = _integers(rng, (*batch, m, k)), _integers(rng, (k, n))
    return node_case("matmul", "QLinearMatMul", _named(x, w, k, point), {"x": x}, np.int8)


def _conv(
    x: tuple[int, ...], w: tuple[int, ...], *, point: int = 0, bias: bool = True, **attributes: Any
) -> Case:
    rng = np.random.default_rng(x[1])
    values = _integers(rng, x)
    named = _named(values, _integers(rng, w), int(np.prod(w[1:])), point)
    named.append(("bias", rng.integers(-5000, 5000, w[0], np.int32) if bias else None))
    return node_case("conv", "QLinearConv", named, {"x": values}, np.int8, **attributes)


def _integer_matmul(m: int, k: int, n: int, point: int = 0) -> Case:
    """Sums of 32 bits, as they are."""
    rng = np.random.default_rng(n)
    x, w = _integers(rng, (m, k)), _integers(rng, (k, n))
    named = [("x", x), ("w", w), ("x_point", np.asarray(point, np.int8))]
    return node_case("integer_matmul", "MatMulInteger", named, {"x": x}, np.int32)


def _integer_conv(x: tuple[int, ...], w: tuple[int, ...], **attributes: Any) -> Case:
    rng = np.random.default_rng(x[1])
    values = _integers(rng, x)
    named = [("x", values), ("w", _integers(rng, w))]
    return node_case("integer_conv", "ConvInteger", named, {"x": values}, np.int32, **attributes)


def _scaled(scale: np.float32) -> Case:
    """A product of matrices that scales its sums by this number, and has sums that show how."""
    x = np.full((3, 16), 1, np.int8)
    w = np.zeros((16, 16), np.int8)
    w[0] = [82, -82, 41, -41, 123, 40, 42, 83, 81, 0, 1, -1, 127, -128, 64, -64]
    one, zero = np.asarray(1, np.float32), np.asarray(0, np.int8)
    named = [
        ("x", x), ("x_scale", one), ("x_point", zero),
        ("w", w), ("w_scale", np.asarray(scale)), ("w_point", zero),
        ("y_scale", one), ("y_point", zero),
    ]  # fmt: skip
    return node_case("matmul", "QLinearMatMul", named, {"x": x}, np.int8)


EXACT = {
    "int32 results": _integer_matmul(33, 70, 45),
    "int32 results, less than a block": _integer_matmul(3, 5, 18, point=9),
    "int32 results of a convolution": _integer_conv(
        (2, 5, 7, 8), (20, 5, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]
    ),
    "odd sizes": _matmul(33, 70, 45),
    "one row of less than a block": _matmul(1, 5, 3),
    "batch and zero point": _matmul(7, 40, 20, point=-9, batch=(2,)),
    "1x1": _conv((2, 19, 5, 7), (20, 19, 1, 1)),
    "3x3 with padding": _conv((1, 20, 6, 7), (17, 20, 3, 3), pads=[1, 1, 1, 1]),
    "stride 2 and batch": _conv(
        (2, 5, 7, 8), (20, 5, 3, 3), bias=False, pads=[1, 1, 1, 1], strides=[2, 2]
    ),
    "a scale next to one that rounds apart": _scaled(np.float32(1 / 41)),
    "zero point, nothing padded": _conv((1, 18, 5, 5), (6, 18, 2, 2), point=7),
}


def _saved(case: Case, folder: Path) -> pipeline.ModelMapping:
    mapping = pipeline.map_model(case.save(folder), MapOptions("gemmini", cache=False))
    assert mapping.exit_code == 0
    pipeline.save(mapping, folder / "out")
    return mapping


@pytest.mark.parametrize("name", EXACT)
def test_program_gives_the_outputs_of_onnx_runtime(name: str, tmp_path: Path) -> None:
    case = EXACT[name]
    _saved(case, tmp_path)
    expected = list(case.expected().values())
    ran = gemmini_runs.run(
        gemmini_runs.build(tmp_path / "out"), list(case.inputs.values()), expected
    )
    for found, wanted in zip(ran.outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def _shared(x: str, w: str, *, per_channel: bool = False) -> Quant:
    return Quant(x, w, x, per_channel)


SHARED = {
    "unsigned, any zero points": qlinear_matmul(
        np.random.default_rng(3), (5, 40), (40, 19), _shared("uint8", "uint8")
    ),
    "zero points everywhere, padding": qlinear_conv(
        np.random.default_rng(4), (2, 5, 6, 5), (18, 5, 3, 3), _shared("int8", "int8"),
        pads=[1, 0, 1, 2],
    ),
    "a scale per channel, stride 2": qlinear_conv(
        np.random.default_rng(5), (1, 4, 7, 9), (20, 2, 3, 3),
        _shared("uint8", "int8", per_channel=True), group=2, strides=[2, 2], pads=[1, 1, 1, 1],
    ),
    "unsigned int32 results": matmul_integer(
        np.random.default_rng(6), (4, 20), (20, 17), _shared("uint8", "uint8")
    ),
    "a scale that rounds apart": _scaled(np.float32(1 / 82)),
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_processor_does_what_the_accelerator_cannot(name: str, tmp_path: Path) -> None:
    """In the interpreter, from a saved directory and as a C program."""
    case = SHARED[name]
    mapping = _saved(case, tmp_path)
    assert mapping.layers[0].on_processor
    expected = list(case.expected().values())
    ran = gemmini_runs.run(
        gemmini_runs.build(tmp_path / "out"), list(case.inputs.values()), expected
    )
    loaded, images = pipeline.load(tmp_path / "out")
    run, tensors = pipeline.run_model(loaded, "interpreter", case.inputs, 0, images=images)
    assert (run.mismatches, run.compared) == (0, expected[0].size)
    modelled = list(pipeline.onnx_outputs(loaded.model, tensors).values())
    for found, again, wanted in zip(ran.outputs, modelled, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(again, wanted)


_IMAGE = (2, 5, 6, 7)
_FIRST, _SECOND = Scale(0.03, 7, "int8"), Scale(0.02, 130, "uint8")


def _image(scale: Scale, seed: int) -> tuple[Array, Scale]:
    return scale.integers(np.random.default_rng(seed), _IMAGE), scale


EVALUATED = {
    "largest of a window, with padding": qdq(
        "MaxPool", [_image(_FIRST, 1)], [_FIRST],
        kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1],
    ),
    "average, a scale per position": qdq(
        "AveragePool", [_image(_SECOND, 2)], [_SECOND], kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    ),
    "average of all": qdq("GlobalAveragePool", [_image(_FIRST, 3)], [Scale(0.01, -3, "int8")]),
    "sum": qdq("Add", [_image(_FIRST, 4), _image(Scale(0.07, 0, "int8"), 5)], [_FIRST]),
    "product of unsigned": qdq("Mul", [_image(_SECOND, 6), _image(_SECOND, 7)], [_SECOND]),
    "table": qdq("Sigmoid", [_image(_FIRST, 8)], [Scale(1 / 256, -128, "int8")]),
    "transposition": qdq("Transpose", [_image(_FIRST, 9)], [_FIRST], perm=[0, 2, 1, 3]),
    "product of two inputs with zero points": qlinear_matmul(
        np.random.default_rng(1), (2, 5, 9), (2, 9, 6), Quant("uint8", "int8", "uint8"),
        dynamic_w=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVALUATED)
def test_processor_computes_what_no_node_can(name: str, tmp_path: Path) -> None:
    case = EVALUATED[name]
    mapping = _saved(case, tmp_path)
    assert (len(mapping.layers), len(mapping.processed)) == (0, 1)
    expected = list(case.expected().values())
    ran = gemmini_runs.run(
        gemmini_runs.build(tmp_path / "out"), list(case.inputs.values()), expected
    )
    assert not ran.counts
    for found, wanted in zip(ran.outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_counters_of_loops_keep_apart_from_tensors() -> None:
    text = """codelet move "move"
dims x=3 y=2
input x int8[2,3]
output y int8[3,2]
y[x,y] = x[y,x]
"""
    made = loops_of(LoweredLayer(parse_codelet(text), {}, {}), "layer0").text
    assert "for (int64_t x_at = 0; x_at < 3; x_at++)" in made
    assert "y[2 * x_at + y_at] = (int8_t)(x[3 * y_at + x_at]);" in made


@pytest.mark.parametrize("kind", ["gemm", "one row", "conv"])
def test_float_model_is_quantised_and_dequantised_by_the_program(kind: str, tmp_path: Path) -> None:
    """Bias, ReLU and a float interface, against the integer meaning of the layer."""
    rng = np.random.default_rng(5)
    case = float_gemm(rng, 1 if kind == "one row" else 9, 21, 35, activation="Relu")
    if kind == "conv":
        case = float_conv(rng, (1, 6, 6, 5), (18, 6, 3, 3), activation="Relu", pads=[1, 1, 1, 1])
    case = quantised(case, "QDQ", activations="QInt8", symmetric=True)
    mapping = _saved(case, tmp_path)
    runs, tensors = pipeline.run_model(mapping, "interpreter", case.inputs, 0)
    assert [layer.mismatches for layer in runs.layers] == [0]
    expected = list(pipeline.onnx_outputs(mapping.model, tensors).values())
    assert all(array.dtype == np.float32 and (array >= 0).all() for array in expected)
    ran = gemmini_runs.run(
        gemmini_runs.build(tmp_path / "out"), list(case.inputs.values()), expected
    )
    for found, wanted in zip(ran.outputs, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_program_needs_stdint_only_and_fences_around_every_layer(tmp_path: Path) -> None:
    _saved(EXACT["1x1"], tmp_path)
    text = (tmp_path / "out" / "program.c").read_text()
    data = (tmp_path / "out" / "data.h").read_text()
    assert set(re.findall(r"#include (\S+)", text + data)) == {"<stdint.h>", '"data.h"'}
    assert ".insn r 0x7b, 3, %0, x0, %1, %2" in text
    assert "void covenant_run(const void *const inputs[], void *const outputs[])" in text
    body = text[text.index("void covenant_run(const") :]
    calls = re.findall(r"^  (\w+)\(", body, re.MULTILINE)
    run = calls.index("covenant_run_layer")
    assert calls[run - 1] == calls[run + 1] == "COVENANT_HALT"


@pytest.mark.skipif(not shutil.which("riscv64-unknown-elf-gcc"), reason="no RISC-V compiler")
@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_program_compiles_for_bare_metal_and_calls_nothing(level: str, tmp_path: Path) -> None:
    _saved(SHARED["a scale per channel, stride 2"], tmp_path)
    flags = ("-march=rv64gc", "-mabi=lp64d", "-ffreestanding", "-nostdlib", "-Wall", "-Wextra")
    made = tmp_path / "program.o"
    source = str(tmp_path / "out" / "program.c")
    compiler = ["riscv64-unknown-elf-gcc", "-std=c99", *flags, "-Werror", level]
    subprocess.run([*compiler, "-c", source, "-o", str(made)], check=True)
    listed = subprocess.run(
        ["riscv64-unknown-elf-nm", "-u", str(made)], check=True, capture_output=True, text=True
    )
    assert not listed.stdout.strip()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("unsigned", "port a takes int8; 'x' is uint8"),
        ("output point", "is not clip(requantise(acc[m,n], scale, 0), lo, hi)"),
        ("channels", "'scale' is a scalar"),
    ],
)
def test_what_the_machine_cannot_do_is_refused_with_the_reason(
    change: str, reason: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x, w = _integers(rng, (4, 8)), _integers(rng, (8, 16))
    named = dict(_named(x, w, 8, 0))
    output = "int8"
    if change == "unsigned":
        x = x.view(np.uint8)
        named |= {"x": x, "x_point": np.asarray(0, np.uint8)}
    elif change == "output point":
        named["y_point"] = np.asarray(3, np.int8)
    else:
        named |= {"w_scale": np.full(16, 0.03, np.float32), "w_point": np.zeros(16, np.int8)}
        named["w_scale"] = rng.uniform(0.01, 0.05, 16).astype(np.float32)
    case = node_case("refused", "QLinearMatMul", list(named.items()), {"x": x}, output)
    settings = {"control.host.shares": "[]"}
    mapping = pipeline.map_model(
        case.save(tmp_path), MapOptions("gemmini", settings, cache=False, strict=True)
    )
    (layer,) = mapping.layers
    assert layer.error is not None
    assert reason in str(layer.error)


def test_padding_with_another_value_than_zero_is_refused(tmp_path: Path) -> None:
    case = _conv((1, 4, 5, 5), (4, 4, 3, 3), point=3, pads=[1, 1, 1, 1])
    settings = {"control.host.shares": "[centre]"}
    mapping = pipeline.map_model(
        case.save(tmp_path), MapOptions("gemmini", settings, cache=False, strict=True)
    )
    assert "'x[n,g,c,oy+fy-1,ox+fx-1] - 3' stands where it takes 'a[m,k]'" in str(
        mapping.layers[0].error
    )
