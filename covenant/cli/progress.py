"""Progress on stderr: silent for the first second of a stage, one line per stage after that."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StageProgress:
    """Tells on stderr which stage is under way once it has taken longer than a second."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def stage(self, text: str) -> Iterator[Callable[[str], None]]:
        """Mark a stage; prints `text …` after one second and its duration when it ends. Yields a
        function that changes the text, and prints it if the second is over."""
        if self._quiet:
            yield lambda text: None
            return
        start = time.monotonic()
        shown = threading.Event()
        current = text

        def show() -> None:
            shown.set()
            print(f"{current} …", file=sys.stderr, flush=True)

        def change(text: str) -> None:
            nonlocal current
            if text == current:
                return
            current = text
            if shown.is_set():
                show()

        timer = threading.Timer(1.0, show)
        timer.daemon = True
        timer.start()
        try:
            yield change
        finally:
            timer.cancel()
            if shown.is_set():
                print(f"{current}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
