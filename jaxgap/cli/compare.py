"""`jaxgap compare`: many runs side by side, and the seeds of one experiment pooled."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgap.cli.options import RunFile
from jaxgap.errors import InputError, first_of


@dataclasses.dataclass(frozen=True)
class Compare:
    """Fit many runs at once, compare their limits, and pool the seeds of one experiment.

    PATHs are files of runs, folders of such files, or logs that hold several runs (a table with a
    column `run` or `seed`, or columns named RUN - METRIC as W&B exports them). Runs whose names
    with their folders differ in seedN alone are seeds of one experiment, as is a run beside them
    whose name has no seed but whose record differs in the seed alone; without such names, runs
    whose records differ in the seed alone. Their pooled numbers, and the prediction for the next
    seed, are printed below the table. What cannot be read is named, the rest is compared, and the
    exit status is 2.
    """

    paths: Annotated[
        tuple[Path, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="PATH ...", help_behavior_hint="(required)"),
    ]
    """One or more files, folders or logs."""
    model: Literal["linear", "power"] = "linear"
    """The law: the paper's, under which the gap decays exponentially, or a power of the gap."""
    group: Annotated[str | None, tyro.conf.arg(metavar="REGEX")] = None
    """Group runs by the text that this pattern's first group (or the whole pattern) matches in
    their names."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write every fit and all pooled numbers as JSON to this file."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot the overlaid curves and their limits as PNG to this file."""
    run_file: tyro.conf.OmitArgPrefixes[RunFile] = RunFile()

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.output import check_outputs, write_json, write_output

        if not self.paths:
            raise InputError("name the files or folders to compare")
        collection = self.run_file.read_all(self.paths)
        read = [each.path for each in (*collection.runs, *collection.unreadable)]
        check_outputs(read, json=self.json, plot=self.plot)
        if collection.runs:
            compute_on_host()
            from jaxgap.cli.compare_table import print_comparison
            from jaxgap.cli.terminal import Terminal
            from jaxgap.fitting import LinearLaw, PowerLaw
            from jaxgap.workflows.compare import compare_runs, draw_comparison

            laws = {"linear": LinearLaw(), "power": PowerLaw()}
            found = compare_runs(collection, laws[self.model], level=self.level, group=self.group)
            print_comparison(Terminal(), found)
            write_json(found.to_dict(), self.json)
            if self.plot is not None:
                from jaxgap.report.style import to_png

                write_output(to_png(draw_comparison(found)), self.plot)
        if collection.unreadable:
            raise InputError(first_of(each.problem for each in collection.unreadable))
