"""`covenant` and `python -m covenant`: Ctrl-C is heard before anything else is imported.

In: the command line. Out: the exit code; an interrupted command says so in one line.
"""

from __future__ import annotations

import _thread
import signal
import sys

_INTERRUPTED = 130  # diagnostics.ExitCode.INTERRUPTED, which may not have been imported


def main() -> None:
    """Run the command line and end the process."""
    sys.unraisablehook = _raise_later
    code = _INTERRUPTED
    try:
        try:
            from covenant.cli.main import main as answer

            answer()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            _ignore()
    except KeyboardInterrupt:
        _ignore()
        code = _INTERRUPTED
        print("interrupted", file=sys.stderr)
    # Python ends by SIGINT, not with the exit code, where the last text that `exec` ran was left by
    # an interrupt, and dataclasses run such texts. One that runs through makes it forget.
    exec("")
    sys.exit(code)


def _ignore() -> None:
    """The command has ended: neither a traceback nor a signal shall take its exit code's place."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _raise_later(report: sys.UnraisableHookArgs) -> None:
    """Ctrl-C came where no exception can be raised, such as while an object dies: raise it again
    behind that place."""
    if issubclass(report.exc_type, KeyboardInterrupt):
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(report)


if __name__ == "__main__":
    main()
