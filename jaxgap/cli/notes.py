"""Notes on how a file was read, printed before the results."""

from jaxgap.cli.option_names import in_options
from jaxgap.cli.terminal import Terminal
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.notes import reading_notes


def print_notes(console: Terminal, run: Trajectory) -> None:
    """Print how the file was converted to a run, one note per line."""
    for note in reading_notes(run):
        console.print(f"Note: {in_options(note)}", style="dim")
