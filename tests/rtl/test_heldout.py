"""Layers drawn at random on the RTL: equal results, in about the predicted cycles.

`PYTHONPATH=tests python tests/rtl/test_heldout.py [--layers N] [--seed S] [--set PATH=VALUE]…
[ARCH…]` prints the error of the cost model and of the timing model by class and machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from codelet_runs import Codelets, Ran
from covenant.acg.reader import read_architecture
from covenant.cli.options import parse_settings
from covenant.core.diagnostics import CovenantError
from heldout import KINDS, drawn

pytestmark = pytest.mark.rtl

LONG = 2000
"""Cycles from which on a layer counts as long: a few cycles more or less make no difference."""

SEEDS = (*range(5 * len(KINDS), 6 * len(KINDS)), 2105)
"""One of every class; one where copies of one reader share banks, and those of the other do not."""

COST, COST_LONG, TIMING = 0.2, 0.03, 0.08
"""Most relative errors: of the cost model for layers of any length and for long ones, of the timing
model; what is known of them by class is in docs/benchmarks.md."""


@pytest.fixture(scope="module")
def snax() -> Iterator[Codelets]:
    with Codelets(read_architecture("snax")) as opened:
        yield opened


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: drawn(seed).kind)
def test_layer_takes_about_the_predicted_cycles(seed: int, snax: Codelets) -> None:
    ran = snax.run(drawn(seed).text, interpret=False)
    most = COST if ran.cycles < LONG else COST_LONG
    assert abs(ran.cost.latency / ran.cycles - 1) <= most
    assert abs(ran.modelled / ran.cycles - 1) <= TIMING


@click.command(help=__doc__)
@click.argument("archs", nargs=-1)
@click.option("--layers", default=len(KINDS), show_default=True, help="Layers to draw.")
@click.option("--seed", default=1000, show_default=True, help="Seed of the first one.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="As `covenant run`.")
@click.option("--each", is_flag=True, help="Print every layer.")
def main(
    archs: tuple[str, ...], layers: int, seed: int, settings: tuple[str, ...], each: bool
) -> None:
    """Print the errors of some machines."""
    for name in archs or ("snax",):
        found: dict[str, list[Ran]] = {}
        with Codelets(read_architecture(name, parse_settings(settings))) as opened:
            for layer in map(drawn, range(seed, seed + layers)):
                try:
                    ran = opened.run(layer.text, interpret=False)
                except CovenantError as error:
                    click.echo(f"{name} {layer.name}: {error.diagnostics[0].message}", err=True)
                    continue
                found.setdefault(layer.kind, []).append(ran)
                if each:
                    click.echo(_line(layer.name, [ran]))
        machine = " ".join((name, *settings))
        heads = "layers   cost model: signed   mean  worst   timing model: mean  worst"
        click.echo(f"{machine:<30} {heads}")
        for kind, runs in sorted(found.items()):
            click.echo(_line(kind, runs))
        every = [run for runs in found.values() for run in runs]
        click.echo(_line("all", every))
        long = [run for run in every if run.cycles >= LONG]
        if long:
            click.echo(_line(f"all of {LONG:,} cycles or more", long))


def _line(name: str, runs: list[Ran]) -> str:
    cost = [run.cost.latency / run.cycles - 1 for run in runs]
    model = [abs(run.modelled / run.cycles - 1) for run in runs]
    sizes = [abs(error) for error in cost]
    mean, signed = sum(sizes) / len(runs), sum(cost) / len(runs)
    return (
        f"{name:<30} {len(runs):6}              {signed:+7.1%} {mean:6.1%} {max(sizes):6.1%}"
        f"                {sum(model) / len(runs):5.1%} {max(model):6.1%}"
    )


if __name__ == "__main__":
    main()
