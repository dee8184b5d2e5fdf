"""Who hears Ctrl-C while layers are solved.

Imports nothing heavy: `leave_to_parent` must run before a library starts threads, which inherit
what it blocks. OR-Tools must not catch Ctrl-C itself: its handler aborts in a thread that does not
solve.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        """Do some work in a thread of its own; on Ctrl-C or the flag ask it to stop, and wait. A
        second Ctrl-C abandons it."""
        failed: list[BaseException] = []
        done = threading.Event()

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=guarded, daemon=True)
        with self.heard():
            thread.start()
            _RUNNING.append(thread)
            while not done.wait(0.1):
                self.stopped |= self.flag is not None and self.flag.is_set()
                if self.stopped:
                    stop()
            _RUNNING.remove(thread)
        self.stopped |= self.flag is not None and self.flag.is_set()
        if failed:
            raise failed[0]

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Ctrl-C is told to the watch, in place of an exception wherever the main thread is."""
        main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGINT) if main else None
        if not callable(before):  # nobody listens, as behind nohup
            yield
            return
        signal.signal(signal.SIGINT, self.hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def hear(self, *_: object) -> None:
        """Ctrl-C: stop with the best so far; asked twice, at once."""
        if self.stopped:
            _interrupt()
        self.stopped = True


_RUNNING: list[threading.Thread] = []
"""Threads of `Watch.until` whose work has not ended."""


def abandoned() -> bool:
    """Whether a search goes on although nobody waits for it: ending the interpreter would take its
    thread away in the middle of the solver, which aborts."""
    return any(thread.is_alive() for thread in _RUNNING)


_RAISED = threading.Event()
"""Set when Ctrl-C raised an exception."""


def _interrupt(*_: object) -> None:
    _RAISED.set()
    raise KeyboardInterrupt


def remember() -> None:
    """Ctrl-C raises KeyboardInterrupt, as ever, and `raised` knows of it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def raised() -> bool:
    """Whether Ctrl-C raised an exception, which a library may have turned into another one."""
    return _RAISED.is_set()


@contextmanager
def withheld() -> Iterator[None]:
    """Processes started meanwhile never hear Ctrl-C, not even before they can say so; this one
    hears it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
