"""Standard output as the commands write it."""

import os
import sys
from typing import Any

from rich.console import Console


class Terminal(Console):
    """A console that shows text as it is, whoever wrote it, and outlives its reader.

    Names of files and runs, and units, come from outside: nothing in them is markup. When the
    reader of a pipe has gone (a pager, `head`), `quiet` is set and the work continues, so that its
    files are written.

    **Arguments:**

    - `options`: those of rich's `Console`.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    def on_broken_pipe(self) -> None:
        """Write nothing any more; the interpreter's last flush must not fail either."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def print_line(self, line: str) -> None:
        """A line that is never broken, for what somebody may copy, or a program read."""
        self.print(line, soft_wrap=True)
