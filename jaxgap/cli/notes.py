"""How a file was read, said before what follows from it."""

from jaxgap.cli.option_names import in_options
from jaxgap.cli.terminal import Terminal
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.notes import reading_notes


def print_notes(console: Terminal, run: Trajectory) -> None:
    """What was done to the file to make a run of it, a line each."""
    for note in reading_notes(run):
        console.print(f"Note: {in_options(note)}", style="dim")
