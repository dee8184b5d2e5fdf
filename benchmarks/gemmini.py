"""GEMMs on Gemmini: our programs beside that of its library's tiling rule.

Both are sequences of the instructions in `architectures/gemmini.yaml`: ours as `covenant map` makes
them for least latency and for fewest DRAM bytes, the rule's (tiled_matmul_auto) as
`gemmini_rule.py` writes it out. `model` are cycles of the timing model, which executes the words of
either; `cost` those of the cost model, for our mappings; `ideal` those of the array alone. `--run`
executes all programs in the interpreter and compares every element with NumPy (slow); exit code 7
when one differs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import run
from covenant.codelets.ir import Codelet
from covenant.codelets.parser import parse_codelet
from covenant.core.evaluate import requantise
from covenant.emit.check import check_image
from covenant.emit.encode import encode
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.emit.program import Halt
from covenant.mapper.cost import evaluate
from covenant.mapper.objective import Objective, Term
from covenant.mapper.solve import solve
from covenant.sim.interpret import Interpreter
from covenant.sim.timing import time_program
from gemmini_rule import Core, Homes, hand_dram_bytes, hand_program, hand_tiles
from mapper_text import draw

SCHEMA_VERSION = 1
LAYERS = {"GEMM 512^3": (512, 512, 512), "BERT 128x3072x768": (128, 3072, 768)}
"""M, K, N."""

_SCALE = np.float32(1 / 1024)
_GEMM = """codelet gemm "gemm"
dims b=1 m={m} n={n} k={k}
input x int8[1,{m},{k}]
constant w int8[1,{k},{n}]
constant scale float32[{n}] uniform
output y int8[1,{m},{n}]
local acc int32[1,{m},{n}]
acc[b,m,n] += x[b,m,k] * w[b,k,n]
y[b,m,n] = clip(requantise(acc[b,m,n], scale[n], 0), -128, 127)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A program of a layer. tiles: M, K, N; cost: cycles of the cost model, 0 for what it did not
    map; model: of the timing model; ideal: of the array alone; equal: None when not executed."""

    layer: str
    program: str
    tiles: tuple[int, int, int]
    ideal: int
    cost: int
    model: int
    dram_bytes: int
    instructions: int
    equal: bool | None = None


def rows(name: str, sizes: tuple[int, int, int], acg: Acg, *, executed: bool) -> Iterator[Row]:
    """The rule's program and ours."""
    yield _rule(name, sizes, acg, executed=executed)
    for term, label in ((Term.LATENCY, "least latency"), (Term.DRAM, "fewest bytes")):
        yield _ours(name, sizes, acg, term, label, executed=executed)


def _ideal(sizes: tuple[int, int, int]) -> int:
    m, k, n = sizes
    return m * -(-k // 16) * -(-n // 16)


def _operands(sizes: tuple[int, int, int]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    m, k, n = sizes
    rng = np.random.default_rng(0)
    return rng.integers(-128, 128, (m, k), np.int8), rng.integers(-128, 128, (k, n), np.int8)


def _rule(name: str, sizes: tuple[int, int, int], acg: Acg, *, executed: bool) -> Row:
    m, k, n = sizes
    scratchpad, sums = acg.memory("scratchpad"), acg.memory("accumulator")
    core = Core(
        scratchpad.word_bytes,
        scratchpad.size_bytes // scratchpad.word_bytes,
        sums.size_bytes // sums.word_bytes,
    )
    tiles = hand_tiles(m, n, k, core)
    start = acg.off_chip[0].start
    homes = Homes(start, start + m * k, start + m * k + k * n, int(_SCALE.view(np.int32)))
    assert acg.control is not None
    words = encode([*hand_program(m, n, k, core, homes), Halt()], acg.control)
    return Row(
        name,
        "library's rule",
        (tiles.rows * core.side, tiles.depth * core.side, tiles.columns * core.side),
        _ideal(sizes),
        0,
        time_program(words, acg).cycles,
        hand_dram_bytes(m, n, k, core),
        len(words),
        _rule_equal(words, sizes, homes, acg) if executed else None,
    )


def _rule_equal(words: Sequence[int], sizes: tuple[int, int, int], homes: Homes, acg: Acg) -> bool:
    m, _, n = sizes
    a, b = _operands(sizes)
    memory = np.zeros(homes.y + m * n, np.uint8)
    memory[homes.a : homes.b] = a.view(np.uint8).ravel()
    memory[homes.b : homes.y] = b.view(np.uint8).ravel()
    after, _ = Interpreter(acg).run(words, memory)
    total = a.astype(np.int32) @ b.astype(np.int32)
    wanted = requantise(total, np.full(n, _SCALE), np.asarray(0)).clip(-128, 127)
    return bool((after[homes.y :].view(np.int8).reshape(m, n) == wanted).all())


def _ours(
    name: str, sizes: tuple[int, int, int], acg: Acg, term: Term, label: str, *, executed: bool
) -> Row:
    m, k, n = sizes
    codelet = parse_codelet(_GEMM.format(m=m, n=n, k=k))
    a, b = _operands(sizes)
    constants = {"w": b[None], "scale": np.full(n, _SCALE, np.float32)}
    mapping = solve(codelet, acg, objective=Objective((term,)))
    program = lower(mapping, codelet, acg, payloads=constants)
    image = build_image(program, mapping, codelet, acg, constants)
    assert not check_image(image, acg)
    loops = {x.dim: x.tile for level in mapping.levels for x in level.loops}
    cost = evaluate(mapping, codelet, acg)
    equal = None
    if executed:
        after, _ = Interpreter(acg).run(image.words, image.dram({"x": a[None]}))
        equal = _equal(codelet, image.outputs(after), {"x": a[None]}, constants)
    return Row(
        name,
        label,
        (loops.get("m", m), loops.get("k", k), loops.get("n", n)),
        _ideal(sizes),
        cost.latency,
        time_program(image.words, acg).cycles,
        cost.dram_bytes,
        len(image.words),
        equal,
    )


def _equal(
    codelet: Codelet, found: dict[str, Any], inputs: dict[str, Any], constants: dict[str, Any]
) -> bool:
    return all((found[t] == y).all() for t, y in run(codelet, inputs, constants).items())


@click.command(help=__doc__)
@click.option("--only", type=click.Choice(list(LAYERS)), help="One of the layers.")
@click.option("--gemm", "sizes", metavar="M,K,N", help="Another product, in multiples of 16.")
@click.option("--run", "executed", is_flag=True, help="Execute the programs and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(only: str | None, sizes: str | None, executed: bool, as_json: bool) -> None:
    """Map, time and print."""
    acg = read_architecture("gemmini", {})
    chosen = {only: LAYERS[only]} if only else LAYERS
    if sizes:
        chosen = {f"GEMM {sizes.replace(',', 'x')}": _sizes(sizes)}
    found = [r for name, sizes in chosen.items() for r in rows(name, sizes, acg, executed=executed)]
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "rows": [asdict(r) for r in found]}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_table(found).rstrip())
    sys.exit(7 if any(r.equal is False for r in found) else 0)


def _sizes(text: str) -> tuple[int, int, int]:
    try:
        m, k, n = (int(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(f"--gemm takes M,K,N, found '{text}'") from None
    if min(m, k, n) < 1 or m % 16 or k % 16 or n % 16:
        raise click.UsageError(f"--gemm takes multiples of 16, found '{text}'")
    return m, k, n


def _table(found: Sequence[Row]) -> str:
    columns = [
        "layer", "program", "tile M,K,N", "ideal", "cost", "model", "of ideal", "DRAM bytes",
        "instructions",
    ]  # fmt: skip
    executed = any(r.equal is not None for r in found)
    cells = [
        (
            r.layer,
            r.program,
            ",".join(map(str, r.tiles)),
            f"{r.ideal:,}",
            f"{r.cost:,}" if r.cost else "",
            f"{r.model:,}",
            f"{r.model / r.ideal:.3f}",
            f"{r.dram_bytes:,}",
            f"{r.instructions:,}",
            *([{None: "", True: "yes", False: "NO"}[r.equal]] if executed else []),
        )
        for r in found
    ]
    columns += ["equal"] if executed else []
    return draw("Gemmini: GEMMs beside the rule of its library", columns, cells)


if __name__ == "__main__":
    command()
