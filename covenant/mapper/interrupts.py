"""Who hears Ctrl-C while layers are solved.

Imports nothing heavy: `leave_to_parent` must run before a library starts threads, which inherit
what it blocks. OR-Tools must not catch Ctrl-C itself: its handler aborts in a thread that does not
solve.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Flag(Protocol):
    """Something that another thread or process sets; both kinds of events do."""

    def is_set(self) -> bool: ...


@dataclass
class Watch:
    """What a search hears and tells while it runs. flag: when set, stop with the best so far;
    stopped: that, or Ctrl-C, has come; tell: is told value and bound of the term being minimised.
    """

    flag: Flag | None = None
    stopped: bool = False
    tell: Callable[[str], None] | None = None

    def until(self, work: Callable[[], None], stop: Callable[[], None]) -> None:
        """Do some work in a thread of its own; on Ctrl-C or the flag ask it to stop, and wait."""
        failed: list[BaseException] = []
        done = threading.Event()  # an interrupted `join` may take a thread for ended

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)
            finally:
                done.set()

        threading.Thread(target=guarded, daemon=True).start()
        while not done.is_set():
            try:
                done.wait(0.1)
            except KeyboardInterrupt:
                if self.stopped:  # asked twice: at once
                    raise
                self.stopped = True
            self.stopped |= self.flag is not None and self.flag.is_set()
            if self.stopped:
                stop()
        if failed:
            raise failed[0]


def leave_to_parent() -> None:
    """Ctrl-C reaches every process of a terminal; the parent decides what it means."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def restore() -> None:
    """After a search in this process: OR-Tools leaves Ctrl-C to the operating system, which would
    end the process unheard."""
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
