"""Print the shell commands that a Markdown file shows, one script per ```sh block, NUL-separated.

Blocks fenced as ```sh are commands a reader may paste; they must work in a fresh clone. Blocks
fenced otherwise (text, yaml, console output) are not run.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Write the blocks of every file named on the command line."""
    blocks = [b for name in sys.argv[1:] for b in _BLOCK.findall(Path(name).read_text())]
    sys.stdout.write("\0".join(blocks))


main()
