"""Options that several commands share, how their texts are read, and how errors are shown."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from covenant.core.diagnostics import CovenantError, ExitCode, Span, fail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from covenant.pipeline import MapOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def arch_option(command: Command) -> Command:
    """`--arch` (a shipped name or a path) and `--set` (overrides of its attributes)."""
    for option in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="PATH=VALUE",
            help="Override an attribute of the architecture, e.g. l1.size=256KiB; repeatable.",
        ),
        click.option("--arch", metavar="NAME|FILE", help="Architecture: shipped name or YAML."),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class ModelArguments:
    """What `model_options` collects: how a model is read and mapped."""

    shapes: tuple[str, ...]
    objective: str
    pins: Path | None
    time_limit: float
    seed: int
    workers: int
    strict: bool
    jobs: int
    no_cache: bool

    def options(
        self,
        arch: str,
        settings: tuple[str, ...] = (),
        values: Mapping[str, NDArray[Any]] | None = None,
    ) -> MapOptions:
        """The same for the pipeline, for one architecture."""
        from covenant.mapper.objective import parse_objective
        from covenant.mapper.pins import NO_PINS
        from covenant.mapper.pins_reader import read_pins
        from covenant.pipeline import MapOptions

        return MapOptions(
            arch,
            parse_settings(settings),
            parse_shapes(self.shapes),
            parse_objective(self.objective),
            NO_PINS if self.pins is None else read_pins(self.pins),
            self.time_limit,
            self.seed,
            self.workers,
            self.strict,
            self.jobs,
            not self.no_cache,
            values or {},
        )


def _number(_: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuse what is no number, which no range excludes."""
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds", param=parameter)
    return value


_MODEL_OPTIONS = (
    click.option("--strict", is_flag=True, help="An unsupported operator is an error (exit 4)."),
    click.option(
        "--no-cache", is_flag=True, help="Neither look up nor keep proven mappings on disk."
    ),
    click.option(
        "--jobs",
        default=lambda: os.cpu_count() or 1,
        show_default="processors",
        type=click.IntRange(0, 1024),
        help="Layers solved at a time, each in a process of its own; 0: no processes.",
    ),
    click.option(
        "--workers",
        default=1,
        show_default=True,
        type=click.IntRange(1, 256),
        help="Solver threads of a layer.",
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(0, 2**31 - 2),
        help="Seed of solver and inputs.",
    ),
    click.option(
        "--objective",
        default="latency",
        show_default=True,
        metavar="TERM,…",
        help="What to minimise: latency, energy, edp or dram; a list is lexicographic.",
    ),
    click.option(
        "--pins",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Decisions to keep (YAML): any of binding, tiles, order, residency, copies, banks.",
    ),
    click.option(
        "--time-limit",
        default=10.0,
        show_default=True,
        metavar="SECONDS",
        type=click.FloatRange(0),
        callback=_number,
        help="Solver time per layer; at the limit the best mapping and its gap are reported.",
    ),
    click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="NAME=D,D,…",
        help="Shape of a graph input with dynamic dims; repeatable.",
    ),
)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of reading and mapping a model, handed to the command as one `arguments`."""
    names = [field.name for field in fields(ModelArguments)]

    @wraps(command)
    def called(**given: Any) -> Any:
        arguments = ModelArguments(**{name: given.pop(name) for name in names})
        return command(arguments=arguments, **given)

    collected: Callable[..., Any] = called
    for option in _MODEL_OPTIONS:
        collected = option(collected)
    return collected


def save_pins_option(command: Command) -> Command:
    """`--save-pins FILE`."""
    return click.option(
        "--save-pins",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write every decision of the mappings as pins, for `--pins`.",
    )(command)


def dump_option(command: Command) -> Command:
    """`--dump-after STAGE`."""
    return click.option(
        "--dump-after",
        type=click.Choice(("frontend", "codelet", "mapping", "program")),
        help="Print the text form of what this stage makes, in place of the report, and stop.",
    )(command)


def print_errors(errors: Iterable[CovenantError | None]) -> None:
    """What went wrong with the layers of a model, on standard error."""
    for error in errors:
        if error is not None:
            click.echo(str(error), err=True)


def require_arch(arch: str | None) -> str:
    """The architecture that was given; CLI003 when none was."""
    if arch is None:
        raise fail(
            "CLI003",
            "no architecture given",
            Span("--arch"),
            "add --arch NAME; `covenant arch list` names those that are shipped",
            ExitCode.USAGE,
        )
    return arch


def parse_settings(settings: tuple[str, ...]) -> dict[str, str]:
    """`('l1.size=64KiB',)` to `{'l1.size': '64KiB'}`."""
    result: dict[str, str] = {}
    for text in settings:
        path, separator, value = text.partition("=")
        if not separator or not path or not value:
            raise fail(
                "CLI001",
                f"'{text}' is not PATH=VALUE",
                Span("--set"),
                "write e.g. --set l1.size=256KiB",
                ExitCode.USAGE,
            )
        result[path.strip()] = value.strip()
    return result


def parse_shapes(shapes: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """`('x=1,3,224,224',)` to `{'x': (1, 3, 224, 224)}`."""
    result: dict[str, tuple[int, ...]] = {}
    for text in shapes:
        name, separator, dims = text.rpartition("=")
        try:
            extents = tuple(int(d) for d in dims.replace("x", ",").split(","))
        except ValueError:
            extents = ()
        if not separator or not extents or min(extents) < 1:
            raise fail(
                "CLI002",
                f"'{text}' is not NAME=D,D,… with positive integers",
                Span("--shape"),
                "write e.g. --shape input=1,3,224,224",
                ExitCode.USAGE,
            )
        result[name] = extents
    return result
