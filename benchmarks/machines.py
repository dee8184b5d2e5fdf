"""Every layer kind on every architecture: mapped, lowered, checked, interpreted, compared.

`equal`: the interpreter's outputs are those of the codelet and the program's checker finds nothing.
`int8`: only without zero points and with one scale for all channels. `shared`: the processor beside
the accelerator does a share, which the cycles do not count. `processor`: it does all of the layer.
`mapped`: proven, but there is no program, since the architecture has no instruction set yet. Other
cells are reasons, printed below the table with their lines. Exit code 7 when outputs differ.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from covenant.acg.graph import Acg
from covenant.acg.reader import read_architecture
from covenant.codelets.interpret import finished, run_layer
from covenant.codelets.ir import Codelet, Role
from covenant.codelets.lowered import LoweredLayer
from covenant.codelets.parser import parse_codelet
from covenant.codelets.views import View
from covenant.core.diagnostics import CovenantError
from covenant.emit.check import check_image
from covenant.emit.image import build_image
from covenant.emit.lower import lower
from covenant.mapper.cost import evaluate
from covenant.mapper.mapping import Mapping
from covenant.mapper.shares import is_evaluated, shared
from covenant.mapper.solve import solve
from covenant.sim.interpret import Interpreter
from machine_layers import LAYERS, symmetric

SCHEMA_VERSION = 1
ARCHITECTURES = Path(__file__).parents[1] / "architectures"


@dataclass(frozen=True, slots=True)
class Cell:
    """A layer kind on an architecture. result: equal, mapped, differs, or an error code. proven:
    whether the mapping is the proven optimum; words: of the program."""

    architecture: str
    layer: str
    result: str
    cycles: int = 0
    proven: bool = False
    words: int = 0
    seconds: float = 0.0
    reason: str = ""


def cell(acg: Acg, layer: str, time_limit: float) -> Cell:
    """Map and run one layer kind, in its simpler form where nothing computes the other."""
    found = _cell(acg, layer, LAYERS[layer], time_limit)
    simpler = symmetric(LAYERS[layer])
    if found.result != "MAP001" or simpler == LAYERS[layer]:
        return found
    again = _cell(acg, layer, simpler, time_limit)
    return found if again.result == "MAP001" else replace(again, result=f"{again.result} int8")


def by_processor(found: Cell, acg: Acg) -> Cell:
    """The cell of a layer that no node computes, where the processor does."""
    alone = is_evaluated(_layer(parse_codelet(LAYERS[found.layer])), acg)
    return replace(found, result="processor") if alone and found.result == "MAP001" else found


def _cell(acg: Acg, layer: str, text: str, time_limit: float) -> Cell:
    started = time.process_time()
    made = shared(_layer(parse_codelet(text)), acg)
    codelet = made.codelet
    equal = "equal" if made.whole is None else "equal shared"
    try:
        mapping = solve(codelet, acg, time_limit_seconds=time_limit)
        cycles, proven = evaluate(mapping, codelet, acg).latency, mapping.proof.status.proven
        seconds = round(time.process_time() - started, 2)
        if acg.control is None:
            return Cell(acg.name, layer, "mapped", cycles, proven, 0, seconds)
        words, why = _executed(made, mapping, acg)
    except CovenantError as error:
        return Cell(acg.name, layer, error.diagnostics[0].code, reason=_reason(error))
    return Cell(acg.name, layer, "differs" if why else equal, cycles, proven, words, seconds, why)


def _layer(codelet: Codelet) -> LoweredLayer:
    """A layer whose tensors are those of the codelet, with random constants."""
    views = {
        t.name: View(t.name, t.shape, tuple(range(len(t.shape))), t.shape)
        for t in codelet.tensors
        if t.role in (Role.INPUT, Role.OUTPUT)
    }
    return LoweredLayer(codelet, views, _random(codelet, Role.CONSTANT, np.random.default_rng(0)))


def _executed(made: LoweredLayer, mapping: Mapping, acg: Acg) -> tuple[int, str]:
    """Words of the program, and how its results differ from the layer's."""
    codelet, constants = made.codelet, made.constants
    whole = made.whole or made
    inputs = _random(whole.codelet, Role.INPUT, np.random.default_rng(1))
    seen = {name: made.views[name].apply(array) for name, array in inputs.items()}
    image = build_image(
        lower(mapping, codelet, acg, payloads=constants), mapping, codelet, acg, constants
    )
    faults = check_image(image, acg)
    if faults:
        return len(image.words), str(faults[0])
    after, _ = Interpreter(acg).run(image.words, image.dram(seen))
    found = finished(made, image.outputs(after))
    wrong = sum(int((found[n] != y).sum()) for n, y in run_layer(whole, inputs).items())
    return len(image.words), f"{wrong} outputs differ" if wrong else ""


def _random(codelet: Codelet, role: Role, rng: np.random.Generator) -> dict[str, Any]:
    """Values over the whole range of 8-bit types; scales that keep results inside it."""
    made: dict[str, Any] = {}
    for tensor in (t for t in codelet.tensors if t.role is role):
        dtype = tensor.dtype.numpy
        if dtype.kind == "f":
            drawn = rng.uniform(0.5, 1.5, tensor.shape).astype(dtype) / 1000
            made[tensor.name] = np.full_like(drawn, drawn.flat[0]) if tensor.uniform else drawn
        elif dtype.itemsize > 1:
            made[tensor.name] = rng.integers(-3000, 3000, tensor.shape, dtype)
        else:
            span = np.iinfo(dtype)
            made[tensor.name] = rng.integers(span.min, span.max, tensor.shape, dtype, endpoint=True)
    return made


def _reason(error: CovenantError) -> str:
    found = error.diagnostics[0]
    return f"{found.span}: {found.message}".replace(f"{ARCHITECTURES}/", "")


def yaml_lines(name: str) -> int:
    """Lines of a shipped architecture file."""
    return len((ARCHITECTURES / f"{name}.yaml").read_text().splitlines())


@click.command(help=__doc__)
@click.option("--arch", "archs", multiple=True, metavar="NAME", help="Shipped architectures.")
@click.option("--layer", "layers", multiple=True, metavar="NAME", help="Layer kinds.")
@click.option("--time-limit", default=30.0, show_default=True, help="Solver seconds per layer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    archs: tuple[str, ...], layers: tuple[str, ...], time_limit: float, as_json: bool
) -> None:
    """Run and print."""
    names = archs or tuple(sorted(p.stem for p in ARCHITECTURES.glob("*.yaml")))
    wanted = layers or tuple(LAYERS)
    if unknown := set(wanted) - set(LAYERS):
        raise click.UsageError(f"no layer kind {', '.join(sorted(unknown))}")
    cells: list[Cell] = []
    for name in names:
        acg = read_architecture(ARCHITECTURES / f"{name}.yaml", {})
        for layer in wanted:
            cells.append(by_processor(cell(acg, layer, time_limit), acg))
            click.echo(f"{name:12} {layer:14} {cells[-1].result}", err=True)
    if as_json:
        lines = {name: yaml_lines(name) for name in names}
        found = [asdict(c) for c in cells]
        document = {"schema_version": SCHEMA_VERSION, "yaml_lines": lines, "cells": found}
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_table(names, wanted, cells))
    sys.exit(7 if any(c.result.startswith("differs") for c in cells) else 0)


def _table(names: Sequence[str], layers: Sequence[str], cells: Sequence[Cell]) -> str:
    by = {(c.architecture, c.layer): c for c in cells}
    rows = [[n, str(yaml_lines(n)), *(_shown(by[n, layer]) for layer in layers)] for n in names]
    head = ["architecture", "lines", *layers]
    table = [head, ["-"] * len(head), *rows]
    reasons = [f"- {c.architecture}, {c.layer}: {c.reason}" for c in cells if c.reason]
    return "\n".join([*(f"|{'|'.join(row)}|" for row in table), "", *reasons])


def _shown(found: Cell) -> str:
    """Result, with cycles where there is a mapping, `~` where it is not proven."""
    if not found.cycles:
        return found.result
    return f"{found.result} {'' if found.proven else '~'}{found.cycles:,}"


if __name__ == "__main__":
    command()
