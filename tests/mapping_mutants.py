"""All mutations of mappings by name, with the error code that `verify` reports."""

from __future__ import annotations

import mutants_nest as nest
import mutants_placed as placed
from mutant_case import Mutation

MUTATIONS: dict[str, tuple[str, Mutation]] = {
    "same_address": ("MAP013", nest.same_address),
    "last_word_shared": ("MAP013", nest.last_word_shared),
    "copies_overlap": ("MAP013", nest.copies_overlap),
    "beyond_the_end": ("MAP013", nest.beyond_the_end),
    "negative_address": ("MAP013", nest.negative_address),
    "unaligned": ("MAP013", nest.unaligned),
    "address_missing": ("MAP013", nest.address_missing),
    "one_trip_more": ("MAP011", nest.one_trip_more),
    "one_trip_less": ("MAP011", nest.one_trip_less),
    "tile_doubled": ("MAP011", nest.tile_doubled),
    "tile_halved": ("MAP011", nest.tile_halved),
    "dim_looped_twice": ("MAP011", nest.dim_looped_twice),
    "unknown_dim": ("MAP011", nest.unknown_dim),
    "loop_left_out": ("MAP012", nest.loop_left_out),
    "inner_lacks_a_dim": ("MAP011", nest.inner_lacks_a_dim),
    "reduction_outside": ("MAP011", nest.reduction_outside),
    "cut_beyond": ("MAP014", nest.cut_beyond),
    "cut_negative": ("MAP014", nest.cut_negative),
    "cut_too_far_out": ("MAP012", nest.cut_too_far_out),
    "three_copies": ("MAP014", nest.three_copies),
    "no_copy": ("MAP014", nest.no_copy),
    "partial_sums_doubled": ("MAP014", nest.partial_sums_doubled),
    "partial_sums_exchanged": ("MAP014", nest.partial_sums_exchanged),
    "not_placed": ("MAP012", placed.not_placed),
    "placed_twice": ("MAP012", placed.placed_twice),
    "unknown_port": ("MAP012", placed.unknown_port),
    "other_tensor": ("MAP012", placed.other_tensor),
    "other_role": ("MAP012", placed.other_role),
    "other_dtype": ("MAP012", placed.other_dtype),
    "off_chip": ("MAP012", placed.off_chip),
    "elements_meet": ("MAP012", placed.elements_meet),
    "words_torn": ("MAP012", placed.words_torn),
    "layout_short": ("MAP012", placed.layout_short),
    "positions_left_out": ("MAP012", placed.positions_left_out),
    "beat_scattered": ("MAP012", placed.beat_scattered),
    "partial_sums_at_home": ("MAP012", placed.partial_sums_at_home),
    "dims_swapped": ("MAP010", placed.dims_swapped),
    "dim_bound_twice": ("MAP010", placed.dim_bound_twice),
    "chain_swapped": ("MAP010", placed.chain_swapped),
    "scalar_differs": ("MAP010", placed.scalar_differs),
    "tensors_swapped": ("MAP010", placed.tensors_swapped),
    "unknown_capability": ("MAP010", placed.unknown_capability),
    "step_missing": ("MAP010", placed.step_missing),
    "other_codelet": ("MAP010", placed.other_codelet),
}
