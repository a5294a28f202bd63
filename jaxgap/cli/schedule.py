"""`jaxgap schedule`: from a file of measurements to when external data are best spent."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgap.cli.options import RunFile
from jaxgap.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from jaxgap.fitting.external_data.schedule import DataSchedule
    from jaxgap.workflows.external_plan import ExternalPlan

_NUM_ROUNDS = 10
_MAX_ROUNDS = 100
# It divides an uncertainty by a million, leaving practically nothing.
_MAX_GAMMA = 1e6


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Estimate what a budget of external data would buy a run, and when to spend it.

    The dynamics are fitted to FILE. The run is then assumed to restart with a budget of a stronger
    model's responses, spread over rounds: spending a share eta of it divides the verifier's
    uncertainty by 1 + gamma eta. The solver's limits under early, uniform, late, given and best
    schedules are printed, exact and by the paper's Proposition 5.1.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
    """The measured run, with its verifier; as for `jaxgap fit`."""
    gamma: Annotated[float, tyro.conf.arg(metavar="G")]
    """The strength of the whole budget, > 0: spent at once, it divides U_v by 1 + gamma."""
    gamma_range: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="LOW HIGH")] = None
    """The range of strengths to try as well; by default from half to twice gamma."""
    rounds: Annotated[tuple[float, ...], tyro.conf.arg(metavar="T1 T2 ...")] = ()
    """Times at which external data may be used; by default ten, evenly spaced over the run."""
    eta: Annotated[tuple[float, ...], tyro.conf.arg(metavar="E1 E2 ...")] = ()
    """A schedule of your own to compare: a share for each round, summing to 1."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the result as JSON to this file."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Plot the limits against gamma and the best schedule as PNG to this file."""
    run_file: tyro.conf.OmitArgPrefixes[RunFile] = RunFile()

    def run(self) -> None:
        from jaxgap.cli.output import check_outputs, write_json, write_output

        self._check()
        check_outputs([self.file], json=self.json, plot=self.plot)
        run = self.run_file.read(self.file)

        import numpy as np

        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.schedule_table import print_plan
        from jaxgap.cli.tables import print_notes
        from jaxgap.cli.terminal import Terminal
        from jaxgap.fitting import LinearLaw, fit
        from jaxgap.fitting.external_data.schedule import check_rounds
        from jaxgap.fitting.external_data.schedule_outcomes import check_verifier
        from jaxgap.workflows.external_plan import plan_external_data

        compute_on_host()
        times = np.array(self.rounds or np.linspace(run.ts[0], run.ts[-1], _NUM_ROUNDS))
        # Refuse before the fit what would be refused after it.
        check_verifier(run.verifier is not None)
        check_rounds(times, float(run.ts[0]))
        given = self._given(times) if self.eta else None
        result = fit(LinearLaw(), run, level=self.level)
        plan = plan_external_data(
            result, self.gamma, times, given=given, strengths=self.gamma_range
        )
        console = Terminal()
        print_notes(console, run)
        print_plan(console, plan)
        write_json(plan.to_dict(), self.json)
        if self.plot is not None:
            write_output(_picture(plan), self.plot)

    def _given(self, times: "np.ndarray") -> "DataSchedule":
        from jaxgap.fitting.external_data.schedule import DataSchedule

        try:
            return DataSchedule.given(times, self.eta)
        except InputError as error:
            raise InputError(str(error).replace("given:", "--eta:", 1)) from None

    def _check(self) -> None:
        """Check what can be checked before the file is read."""
        if not 0 < self.gamma <= _MAX_GAMMA:
            raise InputError(
                f"--gamma must be above 0 and at most {_MAX_GAMMA:g}, got {self.gamma:g}"
            )
        if self.gamma_range is not None:
            low, high = self.gamma_range
            if not 0 < low < high <= _MAX_GAMMA:
                raise InputError(
                    f"--gamma-range must be two numbers, 0 < LOW < HIGH <= {_MAX_GAMMA:g}, "
                    f"got {low:g} {high:g}"
                )
        if len(self.rounds) > _MAX_ROUNDS:
            raise InputError(
                f"--rounds must be at most {_MAX_ROUNDS} times, got {len(self.rounds)}"
            )
        if self.eta and not self.rounds:
            raise InputError("--eta needs --rounds: each share belongs to a round")


def _picture(plan: "ExternalPlan") -> bytes:
    """The plan as PNG; lines are interrupted where the model does not hold."""
    import numpy as np

    from jaxgap.report.schedule import draw_schedules
    from jaxgap.report.style import to_png

    over = plan.over_strengths if plan.has_limit else ()
    limits = {
        outcome.schedule.name: np.array([at.limits[outcome.schedule.name] for at in over], float)
        for outcome in plan.outcomes
    }
    strengths = [at.strength for at in over]
    best = plan.best.schedule if plan.best.valid else None
    return to_png(draw_schedules(plan.result, strengths, limits, best, plan.strength))
