"""`jaxgap report`: the page of a run."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Report:
    """Fit a RUN and write RUN/report.html, a single page that needs no network.

    It shows the curves with their fit and limits, the accuracies, what the first half of the run
    would have predicted, and whether the theory holds.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The RUN folder, as `jaxgap improve --out RUN` makes it."""

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.quick_compilation import compile_quickly
        from jaxgap.cli.terminal import Terminal
        from jaxgap.workflows.run_report import write_report

        compute_on_host()
        compile_quickly()
        path, _ = write_report(self.run_folder)
        Terminal().print_line(f"Wrote {path}")
