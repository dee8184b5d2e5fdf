"""Property: convolutions with few channels, fused or not, give exactly the codelet's result in the
interpreter; the mapper fuses where that saves array steps and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.codelets.fuse import fuse
from covenant.core.diagnostics import CovenantError
from covenant.mapper.mapping import Layout, Mapping
from covenant.mapper.printer import from_json, show, to_json
from covenant.mapper.solve import solve
from covenant.mapper.verify import check, verify
from covenant.sim.interpret import Interpreter
from few_channels import STEMS, compiled, random_stem
from handmade import conv_layer
from mapper_samples import conv, snax

SEEDS = 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_interpreted_program_equals_codelet(seed: int) -> None:
    acg = snax()
    ready = compiled(random_stem(Random(seed)), acg)
    inputs = ready.inputs(seed)
    memory, _ = Interpreter(acg).run(ready.image.words, ready.image.dram(inputs), seed)
    found = ready.image.outputs(memory)
    for name, array in ready.reference(inputs).items():
        assert (found[name] == array).all()


@pytest.mark.parametrize("size", ["1KiB", "2KiB", "4KiB"])
@pytest.mark.parametrize("kernel", [(7, 2), (2, 7)])
def test_many_tiles_equal_codelet(size: str, kernel: tuple[int, int]) -> None:
    acg = snax(memories__l1__size=size)
    layer = conv_layer((2, 3, 19, 17), 9, kernel, (2, 3), (3, 3, 1, 2))
    ready = compiled(layer, acg)
    assert ready.mapping.fused
    assert len(ready.mapping.levels[0].loops) > 1
    inputs = ready.inputs(3)
    memory, _ = Interpreter(acg).run(ready.image.words, ready.image.dram(inputs), 3)
    found = ready.image.outputs(memory)["y"]
    assert (found == ready.reference(inputs)["y"]).all()


@pytest.mark.parametrize("name", ["resnet8", "keyword_spotting"])
def test_stems_are_fused(name: str) -> None:
    assert compiled(conv_layer(**STEMS[name]), snax()).mapping.fused


def test_full_words_of_channels_are_not_fused() -> None:
    for channels in (8, 64):
        ready = compiled(conv_layer((1, channels, 9, 9)), snax())
        assert ready.mapping.fused == ()


def test_input_is_stored_without_padding_and_once() -> None:
    ready = compiled(conv_layer(**STEMS["resnet8"]), snax())
    (x,) = (t for t in ready.image.tensors if t.tensor == "x")
    assert x.layout.bytes == 3 * 32 * 32


def _without(acg: Acg, ability: str) -> Acg:
    """The architecture whose transfers lack an ability."""
    transfers = tuple(
        replace(t, abilities=tuple(a for a in t.abilities if a != ability)) for t in acg.transfers
    )
    return replace(acg, transfers=transfers)


@pytest.mark.parametrize("ability", ["windows", "fill"])
def test_transfer_without_the_ability_loads_whole_words(ability: str) -> None:
    layer = conv_layer(**STEMS["resnet8"])
    assert _solved(layer.codelet, _without(snax(), ability)).fused == ()


def test_transfer_without_fill_loads_windows_of_unpadded_tensors() -> None:
    layer = conv_layer((1, 3, 20, 20), pads=(0, 0, 0, 0))
    assert _solved(layer.codelet, _without(snax(), "fill")).fused


def _solved(codelet: object, acg: Acg) -> Mapping:
    return solve(codelet, acg)  # type: ignore[arg-type]


def test_text_and_json_tell_the_pair() -> None:
    mapping = _solved(conv(3, 16, 16), snax())
    assert from_json(to_json(mapping)) == mapping
    assert "run as one dim" in show(mapping)


def _damaged(mapping: Mapping) -> dict[str, Mapping]:
    """Mappings with one fault each, by what the checker says."""
    placement = mapping.placement("a")
    home = placement.home
    shifted = tuple(replace(a, stride=a.stride + 1) if a.axis == 2 else a for a in home.axes)

    def homed(layout: Layout) -> Mapping:
        changed = replace(placement, home=layout)
        rest = tuple(changed if p is placement else p for p in mapping.placements)
        return replace(mapping, placements=rest)

    return {
        "cannot run as one": replace(mapping, fused=("oy", "c")),
        "unknown or repeated": replace(mapping, fused=()),
        "not contiguous in a line": homed(replace(home, axes=shifted)),
        "lines reach byte": homed(replace(home, bytes=home.bytes - 64)),
    }


def test_checker_finds_damaged_fusions() -> None:
    codelet, acg = conv(3, 16, 16), snax()
    mapping = _solved(codelet, acg)
    assert verify(mapping, codelet, acg) == ()
    for message, damaged in _damaged(mapping).items():
        with pytest.raises(CovenantError, match=message):
            check(damaged, codelet, acg)


def test_checker_finds_another_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    codelet, acg = conv(3, 16, 16), snax()
    mapping = _solved(codelet, acg)

    def wrong(layer: object, pair: tuple[str, ...]) -> object:
        fused = fuse(codelet, pair)
        x = fused.tensor("x")
        assert x.source is not None
        moved = tuple(
            replace(i, constant=i.constant - 1) if len(i.terms) > 1 else i for i in x.source.indices
        )
        tensors = tuple(
            replace(t, source=replace(x.source, indices=moved)) if t is x else t
            for t in fused.tensors
        )
        return replace(fused, tensors=tensors)

    monkeypatch.setattr("covenant.mapper.verify.fuse", wrong)
    with pytest.raises(CovenantError, match="products of a result change"):
        check(mapping, codelet, acg)
