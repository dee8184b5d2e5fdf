"""Who hears Ctrl-C while layers are solved.

Imports nothing heavy: `leave_to_parent` must run before a library starts threads, which inherit
what it blocks. OR-Tools aborts when one of its handlers runs in a thread that does not solve.
"""

from __future__ import annotations

import signal
import threading


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
