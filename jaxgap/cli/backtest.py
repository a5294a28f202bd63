"""`jaxgap backtest`: the accuracy of forecasts on runs whose end is known."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.cli.options import random_key
from jaxgap.errors import InputError, first_of


@dataclasses.dataclass(frozen=True)
class Backtest:
    """Forecast the ends of measured runs from their beginnings, and score the forecasts.

    DIR contains the curves and a manifest.csv that lists them in the columns file, kind, n,
    time_unit and source. The mean of the last rows of each curve is forecast from its first rows;
    the baselines are the last value and an exponential, a power law and a sigmoid fitted to the
    same rows. What cannot be read is named, the rest is scored, and the exit status is 2.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The folder with manifest.csv."""
    prefix: Annotated[tuple[float, ...], tyro.conf.arg(metavar="P ...")] = (0.2, 0.3, 0.5)
    """Fractions of a run to forecast from, each between 0 and 1."""
    seed: int = 0
    """Seed of the random draws."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write every forecast and the summaries as JSON to this file."""

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.output import check_outputs, write_json

        compute_on_host()
        from jaxgap.cli.tables import print_backtest
        from jaxgap.cli.terminal import Terminal
        from jaxgap.fitting.backtesting import backtest, manifest_files

        if self.json is not None:
            # Only the manifest says where the curves are.
            check_outputs(manifest_files(self.folder), json=self.json)
        console = Terminal()
        with console.status("forecasting"):
            report = backtest(self.folder, self.prefix, key=random_key(self.seed))
        print_backtest(console, report)
        write_json(report.to_dict(), self.json)
        unreadable = [each["reason"] for each in report.left_out if each["prefix"] is None]
        if unreadable:
            raise InputError(first_of(unreadable))
