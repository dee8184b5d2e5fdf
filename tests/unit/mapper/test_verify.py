"""The independent checker accepts what the solver makes and refuses every seeded fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.ir import Codelet
from covenant.core.diagnostics import CovenantError
from covenant.core.dtypes import DType
from covenant.mapper.mapping import Layout, Mapping, Placement, Role
from covenant.mapper.solve import solve
from covenant.mapper.verify import check, verify
from mapper_samples import conv, gemm, snax

Change = Callable[[Mapping], Mapping]


def _acg() -> Acg:
    return snax(memories__l1__size="8KiB")


@cache
def _conv() -> tuple[Codelet, Mapping]:
    codelet = conv(64, 24, 13)
    return codelet, solve(codelet, _acg())


@cache
def _gemm() -> tuple[Codelet, Mapping]:
    codelet = gemm(40, 200, 64)
    return codelet, solve(codelet, _acg())


def _port(mapping: Mapping, port: str, **changes: object) -> Mapping:
    placements = tuple(
        replace(p, **changes) if p.port == port else p  # type: ignore[arg-type]
        for p in mapping.placements
    )
    return replace(mapping, placements=placements)


def _loops(mapping: Mapping, change: Callable[[list], list]) -> Mapping:  # type: ignore[type-arg]
    level = mapping.levels[0]
    return replace(mapping, levels=(replace(level, loops=tuple(change(list(level.loops)))),))


def _step(mapping: Mapping, index: int, **changes: object) -> Mapping:
    steps = list(mapping.steps)
    steps[index] = replace(steps[index], **changes)  # type: ignore[arg-type]
    return replace(mapping, steps=tuple(steps))


def _swap(pairs: tuple[tuple[str, str], ...], **changes: str) -> tuple[tuple[str, str], ...]:
    return tuple((k, changes.get(k, v)) for k, v in pairs)


def _axis(layout: Layout, index: int, **changes: int) -> Layout:
    axes = list(layout.axes)
    axes[index] = replace(axes[index], **changes)  # type: ignore[arg-type]
    return replace(layout, axes=tuple(axes))


def _layout(mapping: Mapping, port: str, change: Callable[[Layout], Layout]) -> Mapping:
    return _port(mapping, port, layout=change(mapping.placement(port).layout))


def _home(mapping: Mapping, port: str, change: Callable[[Layout], Layout]) -> Mapping:
    return _port(mapping, port, home=change(mapping.placement(port).home))


def _at(placement: Placement, shift: int) -> tuple[int, ...]:
    return tuple(a + shift for a in placement.addresses)


def _stretch(layout: Layout, index: int, delta: int) -> Layout:
    return _axis(layout, index, stride=layout.axes[index].stride + delta)


def _without(mapping: Mapping, port: str) -> Mapping:
    return replace(mapping, placements=tuple(p for p in mapping.placements if p.port != port))


def _reduction_outermost(mapping: Mapping) -> Mapping:
    return _loops(mapping, lambda ls: sorted(ls, key=lambda x: x.dim not in ("c", "k")))


MUTANTS: dict[str, tuple[str, Change]] = {
    "other_codelet": ("MAP010", lambda m: replace(m, codelet="other")),
    "missing_step": ("MAP010", lambda m: replace(m, steps=m.steps[:1])),
    "unknown_node": ("MAP010", lambda m: _step(m, 0, node="vector")),
    "unknown_capability": ("MAP010", lambda m: _step(m, 1, capability="relu")),
    "chain_broken": ("MAP010", lambda m: _step(m, 1, node="gemm", capability="matmul")),
    "wrong_scalar": ("MAP010", lambda m: _step(m, 0, scalars=(("za", 4),))),
    "missing_scalar": ("MAP010", lambda m: _step(m, 0, scalars=())),
    "wrong_clamp": ("MAP010", lambda m: _step(m, 1, scalars=(("zy", 3), ("lo", -5), ("hi", 127)))),
    "wrong_zero_point": (
        "MAP010",
        lambda m: _step(m, 1, scalars=(("zy", 2), ("lo", -128), ("hi", 127))),
    ),
    "tensors_swapped": (
        "MAP010",
        lambda m: _step(m, 0, tensors=_swap(m.steps[0].tensors, a="w", b="x")),
    ),
    "bias_is_scale": (
        "MAP010",
        lambda m: _step(m, 1, tensors=_swap(m.steps[1].tensors, bias="scale")),
    ),
    "bias_left_out": (
        "MAP010",
        lambda m: _step(m, 1, tensors=tuple(t for t in m.steps[1].tensors if t[0] != "bias")),
    ),
    "rows_bound_to_columns": (
        "MAP010",
        lambda m: _step(m, 0, dims=_swap(m.steps[0].dims, m="oc", n="ox")),
    ),
    "reduction_bound_to_group": (
        "MAP010",
        lambda m: _step(m, 0, dims=_swap(m.steps[0].dims, k="g")),
    ),
    "dim_bound_twice": ("MAP010", lambda m: _step(m, 0, dims=_swap(m.steps[0].dims, n="ox"))),
    "chained_dims_differ": ("MAP010", lambda m: _step(m, 1, dims=(("m", "oy"), ("n", "ox")))),
    "loop_missing": ("MAP012", lambda m: _loops(m, lambda ls: ls[:-1])),
    "loop_too_long": (
        "MAP011",
        lambda m: _loops(m, lambda ls: [replace(ls[0], trips=ls[0].trips + 1), *ls[1:]]),
    ),
    "loop_too_short": (
        "MAP011",
        lambda m: _loops(m, lambda ls: [replace(ls[0], trips=ls[0].trips - 1), *ls[1:]]),
    ),
    "tile_too_small": (
        "MAP011",
        lambda m: _loops(m, lambda ls: [replace(ls[0], tile=ls[0].tile - 1), *ls[1:]]),
    ),
    "tile_zero": ("MAP011", lambda m: _loops(m, lambda ls: [replace(ls[0], tile=0), *ls[1:]])),
    "dim_looped_twice": ("MAP011", lambda m: _loops(m, lambda ls: [*ls, ls[0]])),
    "unknown_dim": (
        "MAP011",
        lambda m: _loops(m, lambda ls: [replace(ls[0], dim="q"), *ls[1:]]),
    ),
    "inner_incomplete": ("MAP011", lambda m: replace(m, inner=m.inner[1:])),
    "reduction_outside_result": (
        "MAP011",
        lambda m: replace(m, inner=(m.inner[-1], *m.inner[:-1])),
    ),
    "other_level_memory": (
        "MAP011",
        lambda m: replace(m, levels=(replace(m.levels[0], memories=("dram",)),)),
    ),
    "two_levels": ("MAP011", lambda m: replace(m, levels=m.levels * 2)),
    "no_weights": ("MAP012", lambda m: _without(m, "b")),
    "no_record": ("MAP012", lambda m: _without(m, "p")),
    "no_partial_sums": ("MAP012", lambda m: _without(m, "acc")),
    "placed_twice": (
        "MAP012",
        lambda m: replace(m, placements=(*m.placements, m.placements[0])),
    ),
    "other_tensor": ("MAP012", lambda m: _port(m, "a", tensor="w")),
    "other_role": ("MAP012", lambda m: _port(m, "y", role=Role.PARTIAL)),
    "other_dtype": ("MAP012", lambda m: _port(m, "a", dtype=DType.INT32)),
    "other_memory": ("MAP012", lambda m: _port(m, "b", memory="dram")),
    "tile_overlaps_itself": ("MAP012", lambda m: _layout(m, "a", lambda x: _stretch(x, 3, -64))),
    "tile_pitch_no_words": ("MAP012", lambda m: _layout(m, "a", lambda x: _stretch(x, 3, 4))),
    "tile_bytes_short": (
        "MAP012",
        lambda m: _layout(m, "a", lambda x: replace(x, bytes=x.bytes - 64)),
    ),
    "home_bytes_short": ("MAP012", lambda m: _home(m, "y", lambda x: replace(x, bytes=8))),
    "home_overlaps_itself": ("MAP012", lambda m: _home(m, "a", lambda x: _stretch(x, 3, -8))),
    "home_does_not_cover": (
        "MAP012",
        lambda m: _home(m, "b", lambda x: _axis(x, 1, extent=x.axes[1].extent - 1)),
    ),
    "beat_rows_swapped": (
        "MAP012",
        lambda m: _layout(m, "b", lambda x: _axis(_axis(x, -1, stride=8), -2, stride=1)),
    ),
    "home_beat_differs": (
        "MAP012",
        lambda m: _home(m, "b", lambda x: _axis(_axis(x, -1, stride=8), -2, stride=1)),
    ),
    "partial_sums_at_home": (
        "MAP012",
        lambda m: _port(m, "acc", home=m.placement("acc").layout),
    ),
    "buffers_overlap": ("MAP013", lambda m: _port(m, "b", addresses=_at(m.placement("b"), -64))),
    "beyond_the_end": (
        "MAP013",
        lambda m: _port(m, "y", addresses=_at(m.placement("y"), 32768)),
    ),
    "negative_address": ("MAP013", lambda m: _port(m, "a", addresses=_at(m.placement("a"), -8))),
    "unaligned": ("MAP013", lambda m: _port(m, "y", addresses=_at(m.placement("y"), 4))),
    "address_missing": (
        "MAP013",
        lambda m: _port(m, "b", addresses=m.placement("b").addresses[:1], copies=2),
    ),
    "partial_sums_doubled": ("MAP014", lambda m: _port(m, "acc", copies=2, addresses=(0, 64))),
    "partial_sums_exchanged": (
        "MAP014",
        lambda m: _port(_reduction_outermost(m), "acc", cut=1),
    ),
    "cut_too_deep": ("MAP014", lambda m: _port(m, "a", cut=9)),
    "cut_negative": ("MAP014", lambda m: _port(m, "a", cut=-1)),
    "three_copies": ("MAP014", lambda m: _port(m, "a", copies=3)),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_verify_catches_mutant(name: str) -> None:
    codelet, mapping = _conv()
    assert {p.port for p in mapping.placements} == {"a", "b", "p", "acc", "y"}
    code, change = MUTANTS[name]
    mutant = change(mapping)
    assert mutant != mapping
    found = verify(mutant, codelet, _acg())
    assert code in {d.code for d in found}, [str(d) for d in found]


def test_verify_accepts_solved_mappings() -> None:
    for codelet, mapping in (_conv(), _gemm()):
        assert verify(mapping, codelet, _acg()) == ()
        assert check(mapping, codelet, _acg()) is mapping


def test_verify_refuses_a_stream_with_too_few_loops() -> None:
    codelet, mapping = _conv()
    acg = _acg()
    short = tuple(replace(t, loops=2) if t.name == "stream_a" else t for t in acg.transfers)
    found = verify(mapping, codelet, replace(acg, transfers=short))
    assert {d.code for d in found} == {"MAP015"}
    assert "loops, it has 2" in found[0].message


def test_verify_refuses_masks_a_stream_cannot_make() -> None:
    codelet, mapping = _conv()
    acg = _acg()
    plain = tuple(replace(t, abilities=()) for t in acg.transfers)
    found = verify(mapping, codelet, replace(acg, transfers=plain))
    assert found
    assert {d.code for d in found} <= {"MAP011", "MAP015"}


def test_check_raises_every_finding() -> None:
    codelet, mapping = _conv()
    broken = _port(mapping, "y", addresses=(4, 6), copies=2)
    with pytest.raises(CovenantError) as caught:
        check(broken, codelet, _acg())
    assert len(caught.value.diagnostics) > 1
