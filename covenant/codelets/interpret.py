"""The integer meaning of a whole codelet in NumPy: the golden reference of the project.

In: a codelet, the arrays of its inputs and constants in codelet order. Out: those of its outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from covenant.codelets.ir import Codelet, Role, Tensor
from covenant.codelets.lowered import SUMS, LoweredLayer
from covenant.core.evaluate import evaluate


def run(
    codelet: Codelet,
    inputs: Mapping[str, NDArray[Any]],
    constants: Mapping[str, NDArray[Any]] | None = None,
    *,
    rounding: str = "ort_f32",
    fast: bool = True,
) -> dict[str, NDArray[Any]]:
    """Run all steps; returns the outputs by name in codelet order.

    Shapes and dtypes of `inputs` and `constants` are those of the codelet's tensors (ValueError
    otherwise). Integer results wrap to the dtype of the tensor they are stored in.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for tensor in codelet.tensors:
        if tensor.role in (Role.INPUT, Role.CONSTANT):
            tensors[tensor.name] = _checked(tensor, inputs, constants or {})
    pads = {t.name: t.pad for t in codelet.tensors if t.pad is not None}
    for step in codelet.steps:
        name = step.target.name
        value = evaluate(
            step,
            codelet.extents,
            tensors,
            pads=pads,
            rounding=rounding,
            into=tensors.get(name),
            fast=fast,
        )
        tensors[name] = value.astype(codelet.tensor(name).dtype.numpy)
    return {t.name: tensors[t.name] for t in codelet.tensors if t.role is Role.OUTPUT}


def run_layer(
    lowered: LoweredLayer,
    inputs: Mapping[str, NDArray[Any]],
    *,
    rounding: str = "ort_f32",
) -> dict[str, NDArray[Any]]:
    """Run a lowered layer on ONNX-shaped inputs by role; returns ONNX-shaped outputs by role. What
    a processor has a share of is run as it was before."""
    if lowered.whole is not None:
        return run_layer(lowered.whole, inputs, rounding=rounding)
    views = lowered.views
    seen = {
        name: view.apply(inputs[view.source])
        for name, view in views.items()
        if view.source in inputs
    }
    outputs = run(lowered.codelet, seen, lowered.constants, rounding=rounding)
    return {views[name].source: views[name].invert(array) for name, array in outputs.items()}


def finished(lowered: LoweredLayer, outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The results of a lowered layer's codelet by ONNX role and in ONNX order, after the
    processor's share."""
    views = lowered.views
    if lowered.finish is not None:
        (sums,) = outputs.values()
        outputs = run(lowered.finish, {SUMS: sums}, lowered.constants)
    return {views[name].source: views[name].invert(array) for name, array in outputs.items()}


def _checked(
    tensor: Tensor,
    inputs: Mapping[str, NDArray[Any]],
    constants: Mapping[str, NDArray[Any]],
) -> NDArray[Any]:
    source = constants if tensor.name in constants else inputs
    if tensor.name not in source:
        raise ValueError(f"no array for {tensor.role} {tensor.name!r}")
    array = np.asarray(source[tensor.name])
    if array.shape != tensor.shape or array.dtype != tensor.dtype.numpy:
        raise ValueError(
            f"{tensor.role} {tensor.name!r} is {tensor.dtype}{list(tensor.shape)}, "
            f"the array given is {array.dtype}{list(array.shape)}"
        )
    return array
