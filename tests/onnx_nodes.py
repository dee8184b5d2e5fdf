"""Single quantised ONNX nodes for tests, of given or random sizes.

Every builder is seeded. A `Case` holds a model and inputs by ONNX name; `Case.expected()` runs ONNX
Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Generator = np.random.Generator

IR_VERSION = 9
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]


@dataclass(frozen=True, eq=False)
class Case:
    """A model with one set of inputs by ONNX name."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, Array]

    def expected(self, optimised: bool = True) -> dict[str, Array]:
        """Outputs of ONNX Runtime by ONNX name."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        if not optimised:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(
            self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, self.inputs), strict=True))

    def save(self, folder: Path) -> Path:
        """Write the model into a folder; returns its path."""
        path = Path(folder) / f"{self.name}.onnx"
        path.write_bytes(self.model.SerializeToString())
        return path


@dataclass(frozen=True)
class Quant:
    """How the operands of a random QOperator node are quantised; dtypes by NumPy name."""

    x: str = "uint8"
    w: str = "int8"
    y: str = "uint8"
    per_channel: bool = False
    """One weight scale per output channel."""
    channel_points: bool = False
    """Also one weight zero point per output channel."""
    symmetric_w: bool = False
    """Weight zero points are 0."""
    symmetric_x: bool = False
    """The input's zero point is 0."""


def node_case(
    name: str,
    op_type: str,
    inputs: Sequence[tuple[str, Array | None]],
    feeds: dict[str, Array],
    output: Any,
    domain: str = "",
    **attributes: Any,
) -> Case:
    """A model of one node; an input is fed if named in `feeds`, absent if None, else stored."""
    graph_inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in feeds.items()
    ]
    stored = [numpy_helper.from_array(v, n) for n, v in inputs if v is not None and n not in feeds]
    names = [n if v is not None or n in feeds else "" for n, v in inputs]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(output))
    node = helper.make_node(op_type, names, ["y"], name=name, domain=domain, **attributes)
    graph = helper.make_graph(
        [node], name, graph_inputs, [helper.make_tensor_value_info("y", element, None)], stored
    )
    return Case(name, helper.make_model(graph, opset_imports=OPSETS, ir_version=IR_VERSION), feeds)


def _integers(rng: Generator, dtype: str, shape: Sequence[int]) -> Array:
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, tuple(shape), dtype=dtype, endpoint=True)


def _scale(rng: Generator, size: int = 0) -> Array:
    return np.asarray(rng.uniform(0.001, 0.1, size or None), np.float32)


def _weight_quantisation(rng: Generator, quant: Quant, channels: int) -> tuple[Array, Array]:
    scale = _scale(rng, channels if quant.per_channel else 0)
    if quant.symmetric_w:
        return scale, np.zeros(scale.shape, quant.w)
    if quant.channel_points:
        return scale, _integers(rng, quant.w, (channels,))
    return scale, np.broadcast_to(_integers(rng, quant.w, ()), scale.shape).copy()


def _input_point(rng: Generator, quant: Quant) -> Array:
    point = _integers(rng, quant.x, ())
    return np.zeros_like(point) if quant.symmetric_x else point


def _output_scale(x_scale: Array, w_scale: Array, depth: int) -> Array:
    """Spreads the outputs of random integers over the whole 8-bit range, with some saturation."""
    return np.asarray(float(x_scale) * float(np.mean(w_scale)) * 90.0 * np.sqrt(depth), np.float32)


def qlinear_conv(
    rng: Generator,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    quant: Quant | None = None,
    *,
    bias: bool = True,
    dynamic_w: bool = False,
    name: str = "qlinear_conv",
    **attributes: Any,
) -> Case:
    """Random QLinearConv of x[n,c,…] by w[oc,c/group,…]."""
    quant = quant or Quant()
    x, w = _integers(rng, quant.x, x_shape), _integers(rng, quant.w, w_shape)
    x_scale = _scale(rng)
    w_scale, w_point = _weight_quantisation(rng, quant, w_shape[0])
    depth = int(np.prod(w_shape[1:]))
    values = rng.integers(-5000, 5000, w_shape[0], dtype=np.int32) if bias else None
    inputs = [
        ("x", x),
        ("x_scale", x_scale),
        ("x_zero_point", _input_point(rng, quant)),
        ("w", w),
        ("w_scale", w_scale),
        ("w_zero_point", w_point),
        ("y_scale", _output_scale(x_scale, w_scale, depth)),
        ("y_zero_point", _integers(rng, quant.y, ())),
        ("bias", values),
    ]
    feeds = {"x": x, "w": w} if dynamic_w else {"x": x}
    return node_case(name, "QLinearConv", inputs, feeds, quant.y, **attributes)


def qlinear_matmul(
    rng: Generator,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    quant: Quant | None = None,
    *,
    dynamic_w: bool = False,
    name: str = "qlinear_matmul",
) -> Case:
    """Random QLinearMatMul of a[…,m,k] by b[…,k,n]."""
    quant = quant or Quant()
    x, w = _integers(rng, quant.x, x_shape), _integers(rng, quant.w, w_shape)
    x_scale = _scale(rng)
    w_scale, w_point = _weight_quantisation(rng, quant, w_shape[-1])
    inputs = [
        ("a", x),
        ("a_scale", x_scale),
        ("a_zero_point", _input_point(rng, quant)),
        ("b", w),
        ("b_scale", w_scale),
        ("b_zero_point", w_point),
        ("y_scale", _output_scale(x_scale, w_scale, x_shape[-1])),
        ("y_zero_point", _integers(rng, quant.y, ())),
    ]
    feeds = {"a": x, "b": w} if dynamic_w else {"a": x}
    return node_case(name, "QLinearMatMul", inputs, feeds, quant.y)


def qgemm(
    rng: Generator,
    m: int,
    n: int,
    k: int,
    quant: Quant | None = None,
    *,
    trans_a: bool = False,
    trans_b: bool = False,
    alpha: float = 1.0,
    bias_shape: Sequence[int] | None = None,
    float_output: bool = False,
    name: str = "qgemm",
) -> Case:
    """Random com.microsoft QGemm."""
    quant = quant or Quant()
    x = _integers(rng, quant.x, (k, m) if trans_a else (m, k))
    w = _integers(rng, quant.w, (n, k) if trans_b else (k, n))
    x_scale = _scale(rng)
    w_scale, w_point = _weight_quantisation(rng, quant, n)
    bias = None if bias_shape is None else rng.integers(-5000, 5000, bias_shape, dtype=np.int32)
    scale = None if float_output else _output_scale(x_scale, w_scale * np.float32(alpha), k)
    inputs = [
        ("a", x),
        ("a_scale", x_scale),
        ("a_zero_point", _integers(rng, quant.x, ())),
        ("b", w),
        ("b_scale", w_scale),
        ("b_zero_point", w_point),
        ("c", bias),
        ("y_scale", scale),
        ("y_zero_point", None if float_output else _integers(rng, quant.y, ())),
    ]
    while inputs[-1][1] is None:
        inputs.pop()
    return node_case(
        name,
        "QGemm",
        inputs,
        {"a": x},
        np.float32 if float_output else quant.y,
        "com.microsoft",
        alpha=alpha,
        transA=int(trans_a),
        transB=int(trans_b),
    )


def conv_integer(
    rng: Generator,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    quant: Quant | None = None,
    *,
    points: bool = True,
    name: str = "conv_integer",
    **attributes: Any,
) -> Case:
    """Random ConvInteger; without `points` both zero points are absent."""
    quant = quant or Quant()
    x, w = _integers(rng, quant.x, x_shape), _integers(rng, quant.w, w_shape)
    x_point = _integers(rng, quant.x, ()) if points else None
    w_point = _weight_quantisation(rng, quant, w_shape[0])[1] if points else None
    inputs = [("x", x), ("w", w), ("x_zero_point", x_point), ("w_zero_point", w_point)]
    return node_case(name, "ConvInteger", inputs, {"x": x}, np.int32, **attributes)


def matmul_integer(
    rng: Generator,
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    quant: Quant | None = None,
    *,
    points: bool = True,
    dynamic_w: bool = False,
    name: str = "matmul_integer",
) -> Case:
    """Random MatMulInteger; without `points` both zero points are absent."""
    quant = quant or Quant()
    x, w = _integers(rng, quant.x, x_shape), _integers(rng, quant.w, w_shape)
    x_point = _integers(rng, quant.x, ()) if points else None
    w_point = _weight_quantisation(rng, quant, w_shape[-1])[1] if points else None
    inputs = [("a", x), ("b", w), ("a_zero_point", x_point), ("b_zero_point", w_point)]
    feeds = {"a": x, "b": w} if dynamic_w else {"a": x}
    return node_case(name, "MatMulInteger", inputs, feeds, np.int32)


# --- random layers ---------------------------------------------------------------------------


def _random_quant(rng: Generator) -> Quant:
    x = str(rng.choice(["int8", "uint8"]))
    w = "int8" if x == "int8" else str(rng.choice(["int8", "uint8"]))
    per_channel = bool(rng.integers(2)) and w == "int8"
    return Quant(x, w, x, per_channel, symmetric_w=bool(rng.integers(2)))


def _random_conv(rng: Generator, quant: Quant) -> Case:
    axes = int(rng.integers(1, 3))
    kernel = [int(k) for k in rng.integers(1, 4, axes)]
    spatial = [int(e) for e in rng.integers(4, 14, axes)]
    group = int(rng.integers(1, 4))
    per_group, outputs = int(rng.integers(1, 9)), int(rng.integers(1, 9))
    return qlinear_conv(
        rng,
        (int(rng.integers(1, 3)), group * per_group, *spatial),
        (group * outputs, per_group, *kernel),
        quant,
        bias=bool(rng.integers(2)),
        group=group,
        strides=[int(s) for s in rng.integers(1, 3, axes)],
        pads=[int(p) for p in rng.integers(0, 3, 2 * axes)],
    )


def _random_matmul(rng: Generator, quant: Quant) -> Case:
    m, n, k = (int(e) for e in rng.integers(1, 40, 3))
    batch = tuple(int(e) for e in rng.integers(1, 4, int(rng.integers(0, 3))))
    dynamic = bool(rng.integers(2)) and not quant.per_channel
    shape = (*batch, k, n) if dynamic else (k, n)
    return qlinear_matmul(rng, (*batch, m, k), shape, quant, dynamic_w=dynamic)


def _random_qgemm(rng: Generator, quant: Quant) -> Case:
    m, n, k = (int(e) for e in rng.integers(1, 40, 3))
    flags = [bool(f) for f in rng.integers(0, 2, 3)]
    bias = (n,) if flags[2] else None
    return qgemm(rng, m, n, k, quant, trans_a=flags[0], trans_b=flags[1], bias_shape=bias)


def _random_conv_integer(rng: Generator, quant: Quant) -> Case:
    size, channels, outputs = (int(e) for e in rng.integers(3, 12, 3))
    shape = (int(rng.integers(1, 3)), channels, size, size + 1)
    # ONNX Runtime's ConvInteger takes one weight zero point only.
    kinds = replace(quant, per_channel=False, channel_points=False)
    return conv_integer(rng, shape, (outputs, channels, 3, 2), kinds, pads=[1, 0, 1, 1])


def _random_matmul_integer(rng: Generator, quant: Quant) -> Case:
    m, n, k = (int(e) for e in rng.integers(1, 40, 3))
    return matmul_integer(rng, (m, k), (k, n), quant)


_RANDOM: tuple[Callable[[Generator, Quant], Case], ...] = (
    _random_conv,
    _random_matmul,
    _random_qgemm,
    _random_conv_integer,
    _random_matmul_integer,
)


def random_layer(seed: int) -> Case:
    """A small random layer of any supported QOperator kind that ONNX Runtime can run too."""
    rng = np.random.default_rng(seed)
    build = _RANDOM[int(rng.integers(len(_RANDOM)))]
    return build(rng, _random_quant(rng))
