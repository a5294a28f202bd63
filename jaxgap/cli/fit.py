"""`jaxgap fit`: from a file of measurements to the limit of the run."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxgap.cli.fit_options import Noise, Pairs, constraints_of, noise_of
from jaxgap.cli.options import RunFile
from jaxgap.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fit:
    """Fit the solver-verifier dynamics to a measured run, and print its limit.

    FILE is a CSV table with the columns t, solver and, if measured, verifier, solver_se and
    verifier_se; or JSON lines; or, with --columns, a log of another tool. Standard errors, where
    given, weight the fit. Every parameter and limit comes with its standard error and interval, or
    is withheld with the reason.
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
    """The law: the paper's (linear, under which the gap decays exponentially), another, or an
    average over all of them, weighted by how well each describes the run (auto)."""
    noise: Noise = "as-recorded"
    """Noise model. as-recorded: the file's standard errors or counts where it has them, else one
    unknown scale; given: the file's standard errors; estimated: one unknown scale; per-series: one
    unknown scale for each series; relative: in proportion to the curve, with one unknown scale;
    binomial: counts of items; student-t: heavy tails, robust to
    outliers."""
    fix: Annotated[Pairs, tyro.conf.arg(metavar="NAME=VALUE")] = ()
    """Hold a parameter at a value, as in gap_limit=0; repeat the option for others."""
    bound: Annotated[Pairs, tyro.conf.arg(metavar="NAME=LOW,HIGH")] = ()
    """Keep a parameter between two values, as in rate=0,1; repeat the option for others."""
    window: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="T0 T1")] = None
    """Fit only what was measured between these times."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the result as JSON to this file."""
    save: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Save the complete fit to this file, for `jaxgap.fitting.load_result` in Python."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot the curves with the fit, its intervals and its limits as PNG to this file."""
    run_file: tyro.conf.OmitArgPrefixes[RunFile] = RunFile()

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.output import check_outputs, write_json, write_output
        from jaxgap.cli.quick_compilation import compile_quickly

        check_outputs([self.file], json=self.json, save=self.save, plot=self.plot)
        if self.model == "auto" and (self.noise != "as-recorded" or self.fix or self.bound):
            raise InputError(
                "--noise, --fix and --bound apply to a single law: choose it with --model"
            )
        run = self.run_file.read(self.file, self.window)
        compute_on_host()
        compile_quickly()

        from jaxgap.cli.tables import print_fit, print_notes
        from jaxgap.cli.terminal import Terminal
        from jaxgap.fitting import fit
        from jaxgap.fitting.saving.result_file import encode_result
        from jaxgap.fitting.selection import CANDIDATES, fit_auto

        console = Terminal()
        if self.model == "auto":
            # Later fits take seconds, but a command that is silent for minutes seems to hang.
            with console.status("fitting every law (minutes the first time, to compile)"):
                result = fit_auto(run, level=self.level)
        else:
            (law,) = (law for law in CANDIDATES if law.name == self.model)
            with console.status("fitting"):
                result = fit(
                    law,
                    run,
                    level=self.level,
                    noise=noise_of(self.noise),
                    constraints=constraints_of(self.fix, self.bound),
                )
        print_notes(console, run)
        print_fit(console, result)
        write_json(result.to_dict(), self.json)
        if self.save is not None:
            write_output(encode_result(result), self.save)
        if self.plot is not None:
            from jaxgap.report.curves import draw_curves
            from jaxgap.report.style import to_png

            write_output(to_png(draw_curves(run, result)), self.plot)
