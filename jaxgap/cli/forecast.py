"""`jaxgap forecast`: where a run will be, and whether to continue."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.cli.options import RunFile, random_key


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Forecast a measured run at a future time, and advise whether another round is worthwhile.

    The forecast is for a single measurement at the horizon, noise included. It averages over
    power-law, lagged, two-phase and rise-then-fall curves, an exponential to zero and a random
    walk, weighted by the square root of the evidence: how well each predicted every measurement
    from the earlier ones. The gap is forecast as a series of its own, so its mean need not be the
    difference of the other two. The advice is stop, continue, or cannot tell. Where no test speaks
    against the paper's law, its prediction is printed as well; fewer than six rows are too few to
    test it.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The measured run: CSV, JSON lines, a RUN folder, or with --columns another tool's log."""
    horizon: Annotated[float, tyro.conf.arg(metavar="T")]
    """The time to forecast, in the file's time unit; absolute, and after the last measurement."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    cost: Annotated[float | None, tyro.conf.arg(metavar="GAIN")] = None
    """Smallest gain that makes another round worthwhile, in accuracy or in nats."""
    epsilon: Annotated[float | None, tyro.conf.arg(metavar="DISTANCE")] = None
    """How near its limit the solver counts as there, in accuracy or in nats. By default a point of
    accuracy or a twentieth of the present uncertainty."""
    seed: int = 0
    """Seed of the random draws."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the forecast as JSON to this file."""
    run_file: tyro.conf.OmitArgPrefixes[RunFile] = RunFile()

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.output import check_outputs, write_json

        check_outputs([self.file], json=self.json)
        run = self.run_file.read(self.file)
        compute_on_host()

        from jaxgap.cli.tables import print_forecast, print_notes, print_unopposed
        from jaxgap.cli.terminal import Terminal
        from jaxgap.fitting import LinearLaw, fit
        from jaxgap.fitting.forecasting import forecast
        from jaxgap.trajectory.rows import naming

        key = random_key(self.seed)
        console = Terminal()
        with console.status("forecasting"), naming(self.file):
            result = forecast(
                run,
                self.horizon,
                key=key,
                level=self.level,
                epsilon=self.epsilon,
                cost=self.cost,
            )
            law = fit(LinearLaw(), run, level=self.level)
        print_notes(console, run)
        print_forecast(console, result)
        print_unopposed(console, law, self.epsilon)
        write_json(result.to_dict(), self.json)
