"""Standard output of the commands."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# Control characters, which a terminal might interpret: all but the line break and the tab.
_CONTROLS = {code: "�" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Terminal(Console):
    """A console that prints untrusted text literally, and outlives its reader.

    Names of files and runs, and units, are untrusted: they are not parsed as markup, and their
    control characters do not reach the terminal. When the reader of a pipe has gone (a pager,
    `head`), `quiet` is set and the work continues, so that its files are written.

    **Arguments:**

    - `options`: those of rich's `Console`.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text of a string, without control characters."""
        return super().render_str(text.translate(_CONTROLS), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable, without control characters in their text."""
        if isinstance(renderable, Text):
            renderable = renderable.copy()
            renderable.plain = renderable.plain.translate(_CONTROLS)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        """Stop writing; the interpreter's final flush must not fail either."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def print_line(self, line: str) -> None:
        """Print a line without wrapping, for text to copy or to be read by a program."""
        self.print(line, soft_wrap=True)
