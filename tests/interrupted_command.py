"""`covenant` under Ctrl-C: `python interrupted_command.py SECONDS,SECONDS ARGUMENTS…`.

Sends SIGINT to its process group so many seconds after it began, and after the one before.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from covenant.__main__ import main


def strike(delays: list[float]) -> None:
    """Send the signals."""
    for delay in delays:
        time.sleep(delay)
        os.killpg(0, signal.SIGINT)


if __name__ == "__main__":
    waits = [float(text) for text in sys.argv.pop(1).split(",")]
    threading.Thread(target=strike, args=(waits,), daemon=True).start()
    main()
