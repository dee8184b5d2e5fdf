"""Element functions of reals: what a table of 256 results is computed from.

In: an operator, its operands as float32 arrays. Out: float32 results; each operator is computed in
float64 and rounded once, as near to any float32 implementation as can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.frontend.graph import Node, RefusalError

Array = NDArray[Any]
Function = Callable[[Node, Array, Array, Array], Array]
"""Attributes come from the node; operands that are absent are NaN."""


def _erf(x: Array) -> Array:
    return np.asarray([math.erf(v) for v in x.reshape(-1)], np.float64).reshape(x.shape)


def _sigmoid(x: Array) -> Array:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x))))


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, x))


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _clip(node: Node, x: Array, low: Array, high: Array) -> Array:
    least = np.where(np.isnan(low), node.real("min", -math.inf), low)
    most = np.where(np.isnan(high), node.real("max", math.inf), high)
    return np.asarray(np.minimum(np.maximum(x, least), most))


def _gelu(node: Node, x: Array, *_: Array) -> Array:
    mode = node.text("approximate", "none")
    if mode == "tanh":
        return _fast_gelu(node, x)
    if mode != "none":
        raise RefusalError("ONX016", f"approximate={mode} is not known")
    return np.asarray(0.5 * x * (1 + _erf(x / math.sqrt(2))))


def _fast_gelu(_: Node, x: Array, *__: Array) -> Array:
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def _hard_sigmoid(node: Node, x: Array, *_: Array) -> Array:
    alpha, beta = (np.float32(node.real(*pair)) for pair in (("alpha", 0.2), ("beta", 0.5)))
    return np.clip(float(alpha) * x + float(beta), 0, 1)


def _selu(node: Node, x: Array, *_: Array) -> Array:
    alpha = node.real("alpha", 1.67326319217681884765625)
    return node.real("gamma", 1.05070102214813232421875) * _elu(x, alpha)


def _celu(node: Node, x: Array, *_: Array) -> Array:
    alpha = node.real("alpha", 1.0)
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def _leaky(x: Array, slope: Array | float) -> Array:
    return np.where(x >= 0, x, slope * x)


def _swish(node: Node, x: Array, *_: Array) -> Array:
    return x * _sigmoid(node.real("alpha", 1.0) * x)


def _quick_gelu(node: Node, x: Array, *_: Array) -> Array:
    return x * _sigmoid(node.real("alpha", 1.702) * x)


FUNCTIONS: dict[tuple[str, str], Function] = {
    ("", "Abs"): lambda n, x, *_: np.abs(x),
    ("", "Add"): lambda n, x, w, _: x + w,
    ("", "Cast"): lambda n, x, *_: x,
    ("", "Ceil"): lambda n, x, *_: np.ceil(x),
    ("", "Celu"): _celu,
    ("", "Clip"): _clip,
    ("", "Cos"): lambda n, x, *_: np.cos(x),
    ("", "Div"): lambda n, x, w, _: x / w,
    ("", "Elu"): lambda n, x, *_: _elu(x, n.real("alpha", 1.0)),
    ("", "Erf"): lambda n, x, *_: _erf(x),
    ("", "Exp"): lambda n, x, *_: np.exp(x),
    ("", "Floor"): lambda n, x, *_: np.floor(x),
    ("", "Gelu"): _gelu,
    ("", "HardSigmoid"): _hard_sigmoid,
    ("", "HardSwish"): lambda n, x, *_: x * np.clip(x / 6 + 0.5, 0, 1),
    ("", "LeakyRelu"): lambda n, x, *_: _leaky(x, float(np.float32(n.real("alpha", 0.01)))),
    ("", "Log"): lambda n, x, *_: np.log(x),
    ("", "Max"): lambda n, x, w, _: np.fmax(x, w),
    ("", "Min"): lambda n, x, w, _: np.fmin(x, w),
    ("", "Mish"): lambda n, x, *_: x * np.tanh(_softplus(x)),
    ("", "Mul"): lambda n, x, w, _: x * w,
    ("", "Neg"): lambda n, x, *_: -x,
    ("", "PRelu"): lambda n, x, w, _: _leaky(x, w),
    ("", "Pow"): lambda n, x, w, _: np.power(x, w),
    ("", "Reciprocal"): lambda n, x, *_: 1 / x,
    ("", "Relu"): lambda n, x, *_: np.maximum(x, 0),
    ("", "Round"): lambda n, x, *_: np.rint(x),
    ("", "Selu"): _selu,
    ("", "Sigmoid"): lambda n, x, *_: _sigmoid(x),
    ("", "Sign"): lambda n, x, *_: np.sign(x),
    ("", "Sin"): lambda n, x, *_: np.sin(x),
    ("", "Softplus"): lambda n, x, *_: _softplus(x),
    ("", "Softsign"): lambda n, x, *_: x / (1 + np.abs(x)),
    ("", "Sqrt"): lambda n, x, *_: np.sqrt(x),
    ("", "Sub"): lambda n, x, w, _: x - w,
    ("", "Sum"): lambda n, x, w, _: x + w,
    ("", "Swish"): _swish,
    ("", "Tanh"): lambda n, x, *_: np.tanh(x),
    ("", "ThresholdedRelu"): lambda n, x, *_: np.where(x > n.real("alpha", 1.0), x, 0.0),
    ("com.microsoft", "FastGelu"): _fast_gelu,
    ("com.microsoft", "Gelu"): _gelu,
    ("com.microsoft", "QuickGelu"): _quick_gelu,
}
"""By (domain, operator). All of one real operand; of the others only with constants."""


def is_function(node: Node) -> bool:
    """Whether a node computes element by element."""
    return (node.domain, node.op_type) in FUNCTIONS


def apply(node: Node, operands: list[Array]) -> NDArray[np.float32]:
    """The result of a node; operands that are missing may be left out."""
    absent = np.full((), np.nan)
    padded = [np.asarray(o, np.float64) for o in operands] + [absent] * (3 - len(operands))
    with np.errstate(all="ignore"):
        result = FUNCTIONS[node.domain, node.op_type](node, *padded[:3])
        return np.asarray(result, np.float32)
