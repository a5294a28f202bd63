"""`jaxgap fit`: from a file of measurements to the limit of the run."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgap.cli.options import RunFile


@dataclasses.dataclass(frozen=True)
class Fit:
    """Fit the solver-verifier dynamics to a measured run, and print its limit.

    FILE is a CSV table with the columns t, solver and, if measured, verifier, solver_se and
    verifier_se; or JSON lines; or, with --columns, a log of another tool. Standard errors, where
    given, weight the fit. Every parameter and limit comes with its standard error and its interval,
    or is withheld with the reason.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The measured run."""
    model: Literal[
        "auto",
        "linear",
        "power",
        "saturating",
        "lagged",
        "drifting_ratio",
        "general_linear",
        "rise_then_fall",
    ] = "linear"
    """The law: the paper's (linear, under which the gap decays exponentially), another, or all of
    them averaged by how well each describes the run (auto)."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the result as JSON to this file."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the curves with the fit, its intervals and its limits as PNG to this file."""
    run_file: tyro.conf.OmitArgPrefixes[RunFile] = RunFile()

    def run(self) -> None:
        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.output import check_writable, write_bytes, write_json

        check_writable(self.json, "--json")
        check_writable(self.plot, "--plot")
        run = self.run_file.read(self.file)
        use_compile_cache()
        from rich.console import Console

        from jaxgap.cli.notes import print_notes
        from jaxgap.cli.tables import print_fit
        from jaxgap.fitting import fit
        from jaxgap.fitting.selection import CANDIDATES, fit_auto

        if self.model == "auto":
            result = fit_auto(run, level=self.level)
        else:
            (law,) = (law for law in CANDIDATES if law.name == self.model)
            result = fit(law, run, level=self.level)
        console = Console()
        print_notes(console, run)
        print_fit(console, result)
        write_json(result.to_dict(), self.json)
        if self.plot is not None:
            from jaxgap.report.curves import draw_curves
            from jaxgap.report.style import to_png

            write_bytes(to_png(draw_curves(run, result)), self.plot)
