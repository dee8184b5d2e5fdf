"""Entry point: the `covenant` command, its lazily imported subcommands and its exit codes."""

from __future__ import annotations

import gc
import importlib
import io
import os
import sys
import traceback

import click

from covenant import __version__
from covenant.core.diagnostics import CovenantError, ExitCode, did_you_mean
from covenant.mapper import interrupts

_GARBAGE = 200_000
"""Objects made before Python looks for cycles among them: programs are millions of small objects
without any, and looking for them takes a sixth of the time."""

_COMMANDS: dict[str, tuple[str, str]] = {
    "map": ("covenant.cli.map", "Map the layers of an ONNX model onto an architecture."),
    "run": ("covenant.cli.run", "Map, compile and run a model; compare every output bit for bit."),
    "compare": ("covenant.cli.compare", "Put several architectures side by side."),
    "explain": ("covenant.cli.explain", "Say what bounds a layer and what would help."),
    "check": ("covenant.cli.check", "Prove a saved program free of hazards and deadlocks."),
    "arch": ("covenant.cli.arch", "List, write, check and show architectures."),
    "doctor": ("covenant.cli.doctor", "Say what this machine lacks and how to get it."),
}


class _LazyGroup(click.Group):
    """Imports a subcommand only when it is called, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            raise click.UsageError(
                f"unknown command '{args[0]}'; {did_you_mean(args[0], _COMMANDS)}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="covenant")
def cli() -> None:
    """Map deep-learning layers onto accelerators described in YAML, with a proof and a program.

    \b
    Exit codes: 0 ok, 1 internal error, 2 usage, 3 invalid YAML or model,
    4 unsupported operator under --strict, 5 infeasible, 6 no mapping within
    the time limit, 7 outputs differ, 130 interrupted.
    """


def main() -> None:
    """Run the command line; never shows a traceback for a user's error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # encodings without `…` or table lines
    code = _answered()
    if interrupts.abandoned():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _answered() -> int:
    """The exit code, with what there is to say said."""
    interrupts.remember()
    gc.set_threshold(_GARBAGE)
    try:
        code = cli.main(standalone_mode=False)
        return code if isinstance(code, int) else ExitCode.OK
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _interrupted()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CovenantError as error:
        if interrupts.raised():
            return _interrupted()
        for diagnostic in error.diagnostics:
            print(diagnostic, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last net: an internal error is ours, say so
        if interrupts.raised():  # a library made another exception of it
            return _interrupted()
        print(f"internal error: {type(error).__name__}: {error}", file=sys.stderr)
        if os.environ.get("COVENANT_TRACEBACK"):
            traceback.print_exc()
        else:
            print("help: set COVENANT_TRACEBACK=1 and report the traceback", file=sys.stderr)
        return ExitCode.INTERNAL


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return ExitCode.INTERRUPTED
