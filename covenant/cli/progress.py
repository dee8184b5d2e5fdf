"""Progress on stderr: silent for the first second of a stage, one line per stage after that."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from covenant.core.diagnostics import printable

_REDRAWN = 0.1
"""Seconds between two redrawings of a live line."""


class _Change(Protocol):
    def __call__(self, text: str, *, live: bool = False) -> None: ...


class StageProgress:
    """Tells on stderr which stage is under way once it has taken longer than a second."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def stage(self, text: str) -> Iterator[_Change]:
        """Mark a stage; prints `text …` after one second and its duration when it ends. Yields a
        function that changes the text, and prints it if the second is over; a live text is drawn
        over the last one, on a terminal only."""
        stage = _Stage(text, quiet=self._quiet)
        try:
            yield stage.change
        finally:
            stage.end()


class _Stage:
    def __init__(self, text: str, *, quiet: bool) -> None:
        self.quiet = quiet
        self.text = text
        self.start = self.drawn = time.monotonic()
        self.shown = False
        self.width = 0
        """Characters of the live line that is on the terminal."""
        self.lock = threading.Lock()
        self.timer = threading.Timer(1.0, self._show)
        self.timer.daemon = True
        if not quiet:
            self.timer.start()

    def change(self, text: str, *, live: bool = False) -> None:
        if live:
            self._redraw(text)
        elif text != self.text:
            self.text = text
            if self.shown:
                self._show()

    def end(self) -> None:
        self.timer.cancel()
        if self.shown:
            self._print(f"{self.text}: {time.monotonic() - self.start:.1f} s")

    def _show(self) -> None:
        self.shown = True
        self._print(f"{self.text} …")

    def _print(self, text: str) -> None:
        with self.lock:
            blank = "\r" + " " * self.width + "\r" if self.width else ""
            self.width = 0
            print(blank + text, file=sys.stderr, flush=True)

    def _redraw(self, text: str) -> None:
        now = time.monotonic()
        if self.quiet or not self.shown or now - self.drawn < _REDRAWN or not sys.stderr.isatty():
            return
        with self.lock:
            line = "  " + printable(text)[:76]
            print("\r" + line.ljust(self.width), end="", file=sys.stderr, flush=True)
            self.width, self.drawn = len(line), now
