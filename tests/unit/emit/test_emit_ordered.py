"""Programs for machines in program order: sums in an accumulator memory, steps on nodes of their
own, weights that stay, sums that go off chip and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image
from covenant.emit.encode import decode, encode
from covenant.emit.lower import lower
from covenant.emit.program import Launch, Operation, Write
from covenant.mapper.solve import solve
from machine_samples import machine, plain_conv, plain_gemm
from mapper_samples import SNAX, conv, gemm
from program_runs import Ready, assert_runs, differing, lowered, prepare
from random_mappings import random_mapping

Mutation = Callable[[Random, list[Operation]], list[Operation]]

SMALL = {"memories__scratchpad__size": "8KiB", "memories__accumulator__size": "4KiB"}

LAYERS = {
    "gemm": (plain_gemm(40, 96, 80), {}),
    "gemm_tails": (plain_gemm(21, 50, 70), {}),
    "gemm_without_bias": (plain_gemm(21, 50, 70, bias=False), {}),
    "gemm_with_zero_point": (plain_gemm(33, 47, 61, zero=7), SMALL),
    "gemm_in_small_memories": (plain_gemm(100, 200, 100, bias=False), SMALL),
    "conv_with_padding": (plain_conv(20, 40, 9), {}),
    "conv_with_stride": (plain_conv(3, 24, 9, 3, 2), {}),
    "conv_of_points": (plain_conv(20, 24, 9, 1, 2, bias=False), {}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_program_in_order_equals_codelet(name: str) -> None:
    codelet, sizes = LAYERS[name]
    assert_runs(codelet, machine("gemmini_like", **sizes))


def test_sums_that_do_not_fit_go_off_chip_and_come_back() -> None:
    sizes = {"memories__scratchpad__size": "8KiB", "memories__accumulator__size": "1KiB"}
    layer = plain_gemm(96, 512, 48)
    ready = assert_runs(layer, machine("gemmini_like", **sizes), "energy")
    assert any(t.port == "acc" for t in ready.image.tensors)


@pytest.mark.parametrize("name", ["gemm_tails", "conv_with_stride"])
def test_program_of_a_machine_with_its_own_instructions_equals_codelet(name: str) -> None:
    assert_runs(LAYERS[name][0], read_architecture("gemmini"))


def test_program_of_two_depths_of_memories_equals_codelet() -> None:
    acg = machine("two_depths", memories__l1__size="1KiB", memories__l2__size="4KiB")
    ready = assert_runs(gemm(24, 60, 20), acg)
    assert len(ready.mapping.levels) == 2


def test_instructions_of_one_row_are_repeated(tmp_path: Path) -> None:
    text = (SNAX.parent / "gemmini.yaml").read_text()
    file = tmp_path / "rows.yaml"
    file.write_text(text.replace("bound[0] = 1 <= 16", "bound[0] = 1 <= 1"))
    acg = read_architecture(file)
    ready = assert_runs(plain_gemm(5, 20, 18), acg)
    assert len(ready.image.words) > 5 * 2 * 2 * 3


@pytest.fixture(scope="module")
def small() -> tuple[Acg, Ready]:
    acg = machine("gemmini_like", **SMALL)
    return acg, assert_runs(plain_gemm(40, 70, 40), acg)


def dropped(random: Random, operations: list[Operation]) -> list[Operation]:
    """Without one launch."""
    at = random.choice([i for i, o in enumerate(operations) if isinstance(o, Launch)])
    return [*operations[:at], *operations[at + 1 :]]


def moved(random: Random, operations: list[Operation]) -> list[Operation]:
    """With one address changed by a word or two."""
    bases = [i for i, o in enumerate(operations) if isinstance(o, Write) and ".base" in o.register]
    at = random.choice(bases)
    write = operations[at]
    assert isinstance(write, Write)
    by = random.choice([-64, -16, 16, 64, 8])
    return [*operations[:at], replace(write, value=write.value + by), *operations[at + 1 :]]


def _unit(operation: Operation) -> str:
    return operation.unit if isinstance(operation, Launch) else ""


def swapped(random: Random, operations: list[Operation]) -> list[Operation]:
    """With a launch behind the next one of another unit."""
    launches = [i for i, o in enumerate(operations) if isinstance(o, Launch)]
    pairs = [
        (i, j)
        for i, j in pairwise(launches)
        if _unit(operations[i]) == "mvin" and _unit(operations[j]) == "mesh"
    ]
    i, j = random.choice(pairs)
    return [*operations[:i], *operations[i + 1 : j + 1], operations[i], *operations[j + 1 :]]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mutation", [dropped, moved, swapped])
def test_mutant_in_program_order_is_caught(
    small: tuple[Acg, Ready], mutation: Mutation, seed: int
) -> None:
    acg, ready = small
    assert acg.control is not None
    operations = list(decode(ready.image.words, acg.control))
    words = encode(mutation(Random(seed), operations), acg.control)
    image = replace(ready.image, words=words)
    if check_image(image, acg):
        return
    assert differing(ready, image, acg) > 0


def test_semaphores_do_not_order_two_depths(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "architectures" / "two_depths.yaml").read_text()
    file = tmp_path / "signalled.yaml"
    file.write_text(text.replace("  loop_depth: 3\n", "  loop_depth: 3\n  semaphores: [go]\n"))
    with pytest.raises(CovenantError, match="order one compute unit and one depth"):
        prepare(gemm(8, 16, 8), read_architecture(file))


def test_semaphores_do_not_order_units_of_instances() -> None:
    acg = read_architecture(SNAX)
    mapping = solve(gemm(8, 16, 8), acg)
    lanes = tuple(replace(m, per=("m",)) if not m.off_chip else m for m in acg.memories)
    with pytest.raises(CovenantError, match="programs with semaphores do not reach instances"):
        lower(mapping, gemm(8, 16, 8), replace(acg, memories=lanes))


def test_sums_and_results_of_one_stream_keep_their_own_layout() -> None:
    acg = machine("two_depths", memories__l1__size="8KiB", memories__l2__size="8KiB")
    layer = conv(2, 33, 4, 3, 2)
    mapping = random_mapping(layer, acg, Random(4), 30)
    assert mapping is not None
    ready = lowered(layer, mapping, acg, 0)
    assert check_image(ready.image, acg) == ()
    assert differing(ready, ready.image, acg) == 0
