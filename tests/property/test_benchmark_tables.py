"""Arithmetic of the benchmarks' tables, from measurements made by hand."""

from __future__ import annotations

import pytest
from click import ClickException

from ablation import ABLATED, ALL, ablated, table_f, variant_name, variants
from cells import _by_module
from measure import Measurement, Setup
from tables import _network


def _measured(cycles: dict[str, int]) -> dict[str, Measurement]:
    return {name: Measurement(name, "", cycles=c) for name, c in cycles.items()}


def test_factor_is_cycles_without_a_mechanism_over_cycles_with_all() -> None:
    first, second = ABLATED[:2]
    rows = table_f(
        _measured(
            {
                first: 100,
                second: 200,
                variant_name(first, "queue"): 110,
                variant_name(second, "queue"): 242,
                variant_name(first, "chain"): 150,
            }
        )
    )
    assert [row["without"] for row in rows] == ["nothing", "queue", "chain"]
    assert rows[0]["cycles"] == {first: 100, second: 200}
    assert rows[1]["factors"] == {first: 1.1, second: 1.21}
    assert rows[1]["geomean"] == pytest.approx(1.1537, abs=1e-4)
    assert rows[2]["factors"] == {first: 1.5}  # the other workload does not use it


def test_workload_that_failed_is_in_no_factor() -> None:
    name = ABLATED[0]
    rows = table_f(_measured({name: 0, variant_name(name, "queue"): 110}))
    assert rows[1] == {
        "without": "queue",
        "cycles": {},
        "factors": {},
        "geomean": None,
        "mismatches": 0,
    }


def test_variants_change_one_thing_each() -> None:
    setup = Setup("snax", (("dram.latency", "50"),))
    made = {v.name: v.setup(setup) for v in variants(setup)}
    assert made.pop(ALL) == setup
    assert made["double buffering"].single_buffers
    stalls = {n: dict(s.settings).get("control.stall") for n, s in made.items()}
    assert stalls["job queue"] == "launch"
    assert stalls["run-ahead"] == "barrier"
    assert all(dict(s.settings)["dram.latency"] == "50" for s in made.values())


def test_only_products_of_matrices_leave_unscaled() -> None:
    unscaled = next(v for v in variants(Setup("snax")) if v.int32)
    renamed = [unscaled.workload(w) for w in ablated()]
    assert [w is None for w in renamed] == [
        "bert" not in n and "streamed" not in n for n in ABLATED
    ]


def test_counts_of_instances_of_a_module_add_up() -> None:
    stat = {
        "\\top": {"num_cells_by_type": {"$_AND_": 3, "$_DFF_P_": 2, "\\fifo": 2}},
        "\\fifo$top.a": {"num_cells_by_type": {"$_OR_": 5, "$_SDFFE_PP0P_": 7}},
        "\\fifo$top.b": {"num_cells_by_type": {"$_OR_": 6, "cvn_bank": 1}},
    }
    assert _by_module(stat, "top") == {
        "fifo": {"instances": 2, "gates": 11, "flip_flops": 7, "banks": 1},
        "top": {"instances": 1, "gates": 3, "flip_flops": 2, "banks": 0},
    }


def test_synthesis_without_cells_is_an_error() -> None:
    with pytest.raises(ClickException, match="no cells"):
        _by_module({"\\other": {"num_cells_by_type": {"$_AND_": 3}}}, "top")


def test_network_without_a_run_has_no_mean() -> None:
    assert _network("none", [])["geomean_utilization"] is None
    ran = [
        Measurement("x", "", cycles=200, roofline_cycles=100, array_cycles=100),
        Measurement("y", "", cycles=100, roofline_cycles=98, array_cycles=98),
        Measurement("z", "", cycles=200, roofline_cycles=100, array_cycles=10),
    ]
    row = _network("some", ran)
    assert row["geomean_utilization"] == pytest.approx(0.625732, abs=1e-6)
    assert row["compute_bound_below_goal"] == 1  # z waits for the DRAM
