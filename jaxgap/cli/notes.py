"""How a file was read, said before what follows from it."""

from rich.console import Console
from rich.markup import escape

from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.notes import reading_notes


def print_notes(console: Console, run: Trajectory) -> None:
    """What was done to the file to make a run of it, a line each."""
    for note in reading_notes(run):
        console.print(f"Note: {escape(note)}", style="dim", highlight=False)
