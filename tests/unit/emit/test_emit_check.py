"""The static checker: right programs pass, seeded mutants do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image, verify_image
from covenant.emit.encode import decode, encode
from covenant.emit.image import Image, build_image
from covenant.emit.lower import lower
from covenant.emit.program import Add, Halt, Launch, Loop, Operation, Post, ReverseSubtract, Write
from handmade import conv_layer, gemm_layer, map_by_hand

Operations = tuple[Operation, ...]
Path = tuple[int, ...]


@pytest.fixture(scope="module")
def acg() -> Acg:
    return read_architecture("snax")


@pytest.fixture(scope="module")
def image(acg: Acg) -> Image:
    layer = conv_layer()
    tiles = {"oy": 3, "oc": 8, "c": 8}
    mapping = map_by_hand(layer.codelet, acg, tiles, ["oc", "oy", "c"])
    program = lower(mapping, layer.codelet, acg)
    return build_image(program, mapping, layer.codelet, acg, layer.constants)


def places(operations: Operations, path: Path = ()) -> Iterator[tuple[Path, Operation]]:
    for i, operation in enumerate(operations):
        yield (*path, i), operation
        if isinstance(operation, Loop):
            yield from places(operation.body, (*path, i))


def put(operations: Operations, path: Path, *new: Operation) -> Operations:
    at = path[0]
    if len(path) > 1:
        loop = operations[at]
        assert isinstance(loop, Loop)
        new = (Loop(loop.count, put(loop.body, path[1:], *new)),)
    return (*operations[:at], *new, *operations[at + 1 :])


def pick(
    random: Random, operations: Operations, wanted: Callable[[Operation], bool]
) -> tuple[Path, Operation]:
    return random.choice([p for p in places(operations) if wanted(p[1])])


def drop_wait(random: Random, operations: Operations) -> Operations:
    path, launch = pick(random, operations, lambda o: isinstance(o, Launch) and bool(o.waits))
    assert isinstance(launch, Launch)
    gone = random.choice(launch.waits)
    return put(operations, path, replace(launch, waits=tuple(w for w in launch.waits if w != gone)))


def drop_post(random: Random, operations: Operations) -> Operations:
    path, launch = pick(random, operations, lambda o: isinstance(o, Launch) and bool(o.posts))
    assert isinstance(launch, Launch)
    gone = random.choice(launch.posts)
    return put(operations, path, replace(launch, posts=tuple(p for p in launch.posts if p != gone)))


def shift_address(random: Random, operations: Operations) -> Operations:
    def moves(o: Operation) -> bool:
        # Which input word is read is not the checker's to know: `src` of a load is left out.
        if not isinstance(o, Write | Add | ReverseSubtract):
            return False
        return o.register.endswith("base") and (o.unit[:4], o.register) != ("load", "src.base")

    path, moved = pick(random, operations, moves)
    assert isinstance(moved, Write | Add | ReverseSubtract)
    by = random.choice([-64, -8, 4, 8, 64, 4096])
    return put(operations, path, replace(moved, value=moved.value + by))


def change_bound(random: Random, operations: Operations) -> Operations:
    def bounds(o: Operation) -> bool:
        return (
            isinstance(o, Write)
            and not o.unit.startswith("load")
            and ("bound" in o.register or o.register in ("run", "steps", "tiles"))
        )

    path, bound = pick(random, operations, bounds)
    assert isinstance(bound, Write)
    return put(operations, path, replace(bound, value=bound.value + random.choice([-1, 1])))


def drop_launch(random: Random, operations: Operations) -> Operations:
    path, _ = pick(random, operations, lambda o: isinstance(o, Launch))
    return put(operations, path)


def swap_order(random: Random, operations: Operations) -> Operations:
    """A compute launch before the load it waits for."""
    path, launch = pick(
        random, operations, lambda o: isinstance(o, Launch) and o.unit == "load0" and bool(o.posts)
    )
    assert isinstance(launch, Launch)
    return put(operations, path, replace(launch, posts=("b_full",)))


MUTATIONS = [drop_wait, drop_post, shift_address, change_bound, drop_launch, swap_order]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutant_is_caught(
    mutation: Callable[[Random, Operations], Operations], seed: int, image: Image, acg: Acg
) -> None:
    assert acg.control is not None
    operations = decode(image.words, acg.control)
    mutant = mutation(Random(seed), operations)
    assert mutant != operations
    assert check_image(replace(image, words=encode(mutant, acg.control)), acg)


def mutated(image: Image, acg: Acg, change: Callable[[Operations], Operations]) -> list[str]:
    assert acg.control is not None
    words = encode(change(decode(image.words, acg.control)), acg.control)
    return [str(f) for f in check_image(replace(image, words=words), acg)]


def test_right_program_has_no_findings(image: Image, acg: Acg) -> None:
    assert check_image(image, acg) == ()
    verify_image(image, acg)


def test_missing_credit_starves(image: Image, acg: Acg) -> None:
    def change(operations: Operations) -> Operations:
        return tuple(o for o in operations if not isinstance(o, Post))

    assert "waits for a_free, nothing launched before posts it" in mutated(image, acg, change)[0]


def test_program_must_halt(image: Image, acg: Acg) -> None:
    found = mutated(image, acg, lambda o: o[:-1])
    assert found[0].endswith("the program does not halt")


def test_operations_after_halt_do_not_count(image: Image, acg: Acg) -> None:
    found = mutated(image, acg, lambda o: (Halt(), *o))
    assert any("of outputs are never written" in f for f in found)
    assert any("of constants are never read" in f for f in found)


def test_output_written_twice_is_found(acg: Acg) -> None:
    layer = gemm_layer(8, 8, 8)
    mapping = map_by_hand(layer.codelet, acg)
    program = lower(mapping, layer.codelet, acg)
    image = build_image(program, mapping, layer.codelet, acg, layer.constants)

    def change(operations: Operations) -> Operations:
        return (*operations[:-1], Launch("store0"), Halt())

    assert any("a second time" in f for f in mutated(image, acg, change))


def test_address_outside_memory_is_found(image: Image, acg: Acg) -> None:
    size = acg.on_chip[0].address_bytes

    def change(operations: Operations) -> Operations:
        first = next(i for i, o in enumerate(operations) if isinstance(o, Launch))
        return (*operations[:first], Write("load0", "dst.base", size), *operations[first:])

    assert f"leaves memory '{acg.on_chip[0].name}'" in mutated(image, acg, change)[0]


def test_semaphore_of_another_port_is_refused(image: Image, acg: Acg) -> None:
    def change(operations: Operations) -> Operations:
        path, launch = next(
            p for p in places(operations) if isinstance(p[1], Launch) and p[1].unit == "gemm"
        )
        assert isinstance(launch, Launch)
        return put(operations, path, replace(launch, waits=(*launch.waits, "y_full")))

    assert any("no part of unit gemm can wait y_full" in f for f in mutated(image, acg, change))


def test_findings_become_one_error(image: Image, acg: Acg) -> None:
    with pytest.raises(CovenantError, match="EMI006") as caught:
        verify_image(replace(image, words=image.words[:-1]), acg)
    assert caught.value.diagnostics
