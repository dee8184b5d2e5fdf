"""The mapping of ours that a peer's cost chooses: feasible, and what the chosen order says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from covenant.acg.graph import Acg
from covenant.mapper.mapping import Mapping
from covenant.mapper.pins import Pin
from covenant.mapper.solve import solve
from covenant.mapper.verify import verify
from machine_samples import machine
from mapper_choice import choices, chosen
from mapper_peer import Order, Peer
from mapper_solve import codelet_of
from workloads import Conv, Gemm, Workload

pytestmark = pytest.mark.solver

GEMM = Workload("gemm", "GEMM", Gemm(32, 64, 64, stored=False))
CONV = Workload("conv", "net", Conv(32, 8, 48, 3, 2))


def _likes(wanted: Callable[[Order], int]) -> Callable[[Sequence[Order]], Peer]:
    """A peer that finds the first order with the least of a number best."""

    def ask(orders: Sequence[Order]) -> Peer:
        return Peer("any", 0, 0.0, 0.0, "", min(orders, key=wanted), {})

    return ask


def _solver(workload: Workload, acg: Acg) -> Callable[[tuple[Pin, ...]], Mapping]:
    return lambda pins: solve(codelet_of(workload), acg, pins=pins)


def test_chosen_mapping_says_the_order_that_the_peer_likes() -> None:
    acg = machine("gemmini_like", memories__scratchpad__size="4KiB")
    fits = _solver(GEMM, acg)
    liked = [("B", 32), ("C", 2), ("K", 4), ("C", 2)]
    found = chosen(GEMM, fits(()), acg, fits, _likes(lambda order: order != liked))
    assert found is not None
    mapping, peer = found
    assert peer.order == liked
    assert verify(mapping, codelet_of(GEMM), acg) == ()
    tiles = [(loop.dim, loop.trips, loop.tile) for loop in mapping.levels[0].loops]
    assert tiles in ([("k", 2, 32), ("n", 4, 16)], [("k", 2, 32)])


def test_order_whose_mapping_the_solver_refuses_is_not_chosen() -> None:
    acg = machine("gemmini_like", memories__scratchpad__size="4KiB")
    fits = _solver(GEMM, acg)
    refused: list[tuple[Pin, ...]] = []

    def picky(pins: tuple[Pin, ...]) -> Mapping | None:
        if not refused:
            refused.append(pins)
            return None
        return fits(pins)

    found = chosen(GEMM, fits(()), acg, picky, _likes(len))
    assert found is not None
    assert len(refused) == 1
    assert chosen(GEMM, fits(()), acg, lambda _: None, _likes(len)) is None


def test_choices_divide_their_dims_and_may_fit() -> None:
    acg = machine("gemmini_like", memories__scratchpad__size="8KiB")
    codelet = codelet_of(CONV)
    mapping = solve(codelet, acg)
    found = list(choices(CONV, mapping, acg, codelet))
    assert len(set(found)) == len(found) == 47
    assert all(codelet.extents[d] % tile == 0 for c in found for d, tile in c.tiles)
    assert all({d for d, _ in c.tiles} == set(c.order) for c in found)
    assert not any(c.tiles == () for c in found)  # 14 KiB of weights
