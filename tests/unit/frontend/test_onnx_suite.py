"""The ONNX project's own cases on 8-bit tensors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx_nodes import Case
from reference_runs import interpreted

OPERATORS = {"QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger"}
NAMES = {"test_maxpool_2d_uint8", "test_clip_default_int8_inbounds"}
"""All others of the operators we take are float or, as Add of int8, have no scale."""


def _cases() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    for case in cases:
        if case.model is None:
            continue
        if case.name in NAMES or {n.op_type for n in case.model.graph.node} & OPERATORS:
            yield pytest.param(case, id=case.name)


@pytest.mark.parametrize("test_case", list(_cases()))
def test_onnx_suite_case_is_equal(test_case: Any, tmp_path: Path) -> None:
    inputs, outputs = test_case.data_sets[0]
    names = [i.name for i in test_case.model.graph.input]
    arrays = dict(zip(names, map(np.asarray, inputs), strict=True))
    ours = interpreted(Case(test_case.name, test_case.model, arrays), tmp_path)
    (name,) = ours
    assert ours[name].dtype == outputs[0].dtype
    np.testing.assert_array_equal(ours[name], outputs[0])
