"""Layers from operands: the form in which QDQ, QOperator and float spellings meet.

In: operands and result of one operator. Out: a `Layer` with its output shape worked out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from covenant.core.dtypes import DType
from covenant.core.layer import Layer, LayerTensor
from covenant.frontend.activation import Result
from covenant.frontend.graph import Graph, Node, RefusalError
from covenant.frontend.quantisation import operand, require_channels, require_per_tensor
from covenant.frontend.spatial import read_window


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """What an operator multiplies and adds; `before` names the nodes that only feed it."""

    x: LayerTensor
    w: LayerTensor
    bias: LayerTensor | None = None
    before: tuple[str, ...] = ()
    assumed_int8: bool = False

    @property
    def inputs(self) -> dict[str, LayerTensor]:
        """By role."""
        named = {"x": self.x, "w": self.w}
        return named if self.bias is None else named | {"bias": self.bias}


def conv_layer(node: Node, operands: Operands, result: Result) -> Layer:
    """A `conv` layer; channels of w are axis 0."""
    x, w = operands.x, operands.w
    window = read_window(node, x.shape, w.shape)
    require_per_tensor(x)
    require_channels(w, 0)
    if operands.bias is not None and operands.bias.shape != (w.shape[0],):
        found = list(operands.bias.shape)
        raise RefusalError("ONX016", f"the bias has shape {found}, expected [{w.shape[0]}]")
    geometry: dict[str, int | tuple[int, ...]] = {
        "strides": window.strides,
        "pads": window.pads,
        "dilations": window.dilations,
        "group": window.group,
    }
    shape = (x.shape[0], w.shape[0], *window.output)
    return _layer(node, "conv", operands, result, shape, geometry)


def gemm_layer(
    node: Node,
    operands: Operands,
    result: Result,
    *,
    trans_x: bool = False,
    trans_w: bool = False,
    alpha: float = 1.0,
) -> Layer:
    """A `gemm` layer; channels of w are its last axis, the one before when transposed."""
    x, w = operands.x, operands.w
    require_per_tensor(x)
    require_channels(w, max(0, len(w.shape) - (2 if trans_w else 1)))
    shape = _product_shape(x.shape, w.shape, trans_x, trans_w)
    transposes: dict[str, int | tuple[int, ...]] = {
        "trans_x": int(trans_x),
        "trans_w": int(trans_w),
    }
    return _layer(node, "gemm", operands, result, shape, transposes, alpha)


def integer_bias(graph: Graph, name: str, channels: int) -> LayerTensor | None:
    """The int32 bias of a quantised operator, one value per channel; None when there is none."""
    if not name:
        return None
    bias = operand(graph, name, None, (DType.INT32,))
    return spread_bias(bias, channels)


def spread_bias(bias: LayerTensor, channels: int, rows: int = 1) -> LayerTensor:
    """Broadcast a constant bias to (channels,), or to (rows, channels) where its rows differ."""
    if bias.shape == (channels,):
        return bias
    per_row = len(bias.shape) == 2 and bias.shape[0] > 1
    shape = (rows, channels) if per_row else (channels,)
    squeezed = bias.shape if per_row else bias.shape[-1:]
    try:
        fits = np.broadcast_shapes(squeezed, shape) == shape and len(bias.shape) <= 2
    except ValueError:
        fits = False
    if not fits:
        found, wanted = list(bias.shape), [channels]
        raise RefusalError(
            "ONX016", f"the bias has shape {found}, which does not spread to {wanted}"
        )
    if bias.values is None:
        if bias.constant:
            return LayerTensor(bias.name, bias.dtype, shape, bias.quantisation, None, True)
        raise RefusalError("ONX017", f"the bias {bias.name!r} is no constant")
    values = np.broadcast_to(bias.values.reshape(squeezed), shape)
    if per_row and (values == values[:1]).all():
        shape, values = (channels,), values[0]
    return LayerTensor(bias.name, bias.dtype, shape, bias.quantisation, values, True)


def _layer(
    node: Node,
    family: str,
    operands: Operands,
    result: Result,
    shape: tuple[int, ...],
    attributes: Mapping[str, int | tuple[int, ...]],
    alpha: float = 1.0,
) -> Layer:
    y = LayerTensor(result.name, result.dtype, shape, result.quantisation)
    require_per_tensor(y)
    return Layer(
        name=node.name,
        op_type=node.op_type,
        family=family,
        inputs=operands.inputs,
        outputs={"y": y},
        attributes={**attributes, **result.clamp},
        nodes=(*operands.before, node.name, *result.nodes),
        assumed_int8=operands.assumed_int8,
        alpha=alpha,
    )


def _product_shape(
    x: tuple[int, ...], w: tuple[int, ...], trans_x: bool, trans_w: bool
) -> tuple[int, ...]:
    """Output shape of a matrix product as NumPy has it; RefusalError when they do not fit."""
    shapes = f"{list(x)}{' transposed' * trans_x} by {list(w)}{' transposed' * trans_w}"
    if not x or not w:
        raise RefusalError("ONX016", f"cannot multiply {shapes}: an operand is a scalar")
    x = (*x[:-2], x[-1], x[-2]) if trans_x else x
    w = (*w[:-2], w[-1], w[-2]) if trans_w else w
    rows = x[-2:-1]
    inner, columns = (w[-2], w[-1:]) if len(w) > 1 else (w[0], ())
    if x[-1] != inner:
        raise RefusalError("ONX016", f"cannot multiply {shapes}: {x[-1]} is not {inner}")
    try:
        batch = np.broadcast_shapes(x[:-2], w[:-2])
    except ValueError as error:
        raise RefusalError("ONX016", f"cannot multiply {shapes}: the batch dims differ") from error
    return (*batch, *rows, *columns)
