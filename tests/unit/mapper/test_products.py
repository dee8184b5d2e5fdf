"""Products and quotients of variables, also where their bounds come close to what 64 bits hold."""

from __future__ import annotations

import pytest
from ortools.sat.python import cp_model

from covenant.mapper.constraints.product import product, quotient
from covenant.mapper.feasibility import spaces_of
from covenant.mapper.model import build
from mapper_samples import gemm, snax


@pytest.mark.parametrize("most", [1 << 12, 1 << 55])
@pytest.mark.parametrize(("above", "below"), [(0, 7), (41, 7), (42, 7), (1000, 1), (1000, 999)])
def test_quotient_is_exact_up_to_enough(above: int, below: int, most: int) -> None:
    model = cp_model.CpModel()
    numerator = model.new_int_var(0, most, "numerator")
    divisor = model.new_int_var(1, 1 << 11, "divisor")
    found = quotient(model, numerator, divisor, "found", enough=200)
    model.add(numerator == above)
    model.add(divisor == below)
    solver = cp_model.CpSolver()
    assert solver.solve(model) == cp_model.OPTIMAL
    limit = 200 if most > 1 << 50 else above
    assert solver.value(found) == min(limit, above // below)


def test_product_has_its_own_bounds() -> None:
    model = cp_model.CpModel()
    factors = [model.new_int_var(2, 1 << 25, name) for name in "ab"]
    made = product(model, factors, "made", 3)
    assert model.validate() == ""
    assert made.proto.domain[0] == 12


@pytest.mark.parametrize("size", [64, 4096, 8192])
def test_model_of_a_large_layer_is_valid(size: int) -> None:
    for space in spaces_of(gemm(size, size, size), snax()):
        words = space.memory.size_bytes // space.memory.word_bytes
        assert build(space, words).proto.validate() == ""
