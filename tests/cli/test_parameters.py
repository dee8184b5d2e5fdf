"""Models whose scales and zero points are graph inputs (ONNX's suite), from the command line."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest

from command_line import covenant


@pytest.mark.parametrize("name", ["test_qlinearconv", "test_matmulinteger"])
def test_run_binds_parameters_given_as_inputs_and_saves_them(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        case = next(c for c in collect_testcases(None) if c.name == name)
    model, given, got = tmp_path / "model.onnx", tmp_path / "x.npz", tmp_path / "y.npz"
    saved = tmp_path / "saved"
    onnx.save(case.model, model)
    ((inputs, outputs),) = case.data_sets
    names = [value.name for value in case.model.graph.input]
    np.savez(given, **dict(zip(names, map(np.asarray, inputs), strict=True)))
    where = ("--on", "interpreter", "--input", given)

    answer = covenant("run", model, "--arch", "snax", *where, "--output", got, "-o", saved)
    assert answer.code == 0, answer.err
    with np.load(got) as archive:
        (found,) = (archive[key] for key in archive.files)
    np.testing.assert_array_equal(found, outputs[0])
    again = covenant("run", saved, *where)
    assert again.code == 0, again.err
