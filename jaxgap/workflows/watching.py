"""Monitoring a run from another process: what its curve says so far."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from jaxtyping import Array, Key

from jaxgap.errors import InputError
from jaxgap.fitting import FitResult, LinearLaw, fit
from jaxgap.fitting.arguments import check_level
from jaxgap.fitting.forecasting import Forecast, forecast
from jaxgap.improve.runs.notes_file import early_end, read_notes
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import is_locked
from jaxgap.run_files import CONFIG_FILE, METRICS_FILE, RUN_TABLE
from jaxgap.trajectory import Trajectory, read_csv
from jaxgap.trajectory.outside import read_text
from jaxgap.trajectory.record import MIN_ROWS
from jaxgap.workflows.stopping import require_cost


class RunStatus(NamedTuple):
    """The current state of a run.

    **Fields:**

    - `num_done`, `num_asked`: checkpoints measured, and requested.
    - `at_work`: whether a process is working on it.
    - `ended`: why it ended early, by `--stop-when` for example; `None` if it did not.
    - `run`: the measurements, or `None` before the third checkpoint; likewise the next two.
    - `result`: the paper's law fitted to it.
    - `outlook`: the forecast of the run's planned end, or of one more round if that is reached;
        `None` as well if the solver's uncertainty has been zero, from which nothing is forecast.
    """

    num_done: int
    num_asked: int
    at_work: bool
    ended: str | None
    run: Trajectory | None
    result: FitResult | None
    outlook: Forecast | None


def read_status(
    folder: Path, *, key: Key[Array, ""], level: float = 0.9, cost: float | None = None
) -> RunStatus:
    """Read the current state of a RUN folder, fit the measurements, and forecast the rest.

    The folder is not changed, and a process working on it is not disturbed.

    **Arguments:**

    - `folder`: the RUN folder.
    - `key`: of the forecast's draws.
    - `level`: of the intervals.
    - `cost`: the smallest gain that makes another round worthwhile, in nats, >= 0.

    **Raises:** `InputError` if it is not the folder of a run, its measurements cannot be read, the
    level is not in (0, 1), or the cost is negative or not finite.
    """
    check_level(level)  # here too, since a run of few checkpoints is not fitted yet
    if cost is not None:
        require_cost(cost)
    if folder.is_file():
        raise InputError(f"{folder} is a file, not a RUN folder; for a file use jaxgap forecast")
    if not (folder / CONFIG_FILE).is_file():
        raise InputError(f"{folder} contains no run to watch: it has no {CONFIG_FILE}")
    num_asked = RunFolder.reopen(folder).config.num_rounds + 1
    at_work, notes = is_locked(folder), read_notes(folder)
    table = folder / RUN_TABLE
    if not table.exists():
        num_done = min(_num_lines(folder / METRICS_FILE), MIN_ROWS - 1)
        ended = None if at_work else early_end(notes, num_done - 1)
        return RunStatus(num_done, num_asked, at_work, ended, None, None, None)
    run = read_csv(table)
    horizon = max(float(num_asked - 1), float(run.ts[-1]) + 1.0)
    outlook = None
    if run.solver.min() > 0:
        outlook = forecast(run, horizon, key=key, level=level, cost=cost, round_length=1.0)
    result = fit(LinearLaw(), run, level=level)
    ended = None if at_work else early_end(notes, float(run.ts[-1]))
    return RunStatus(run.num_rows, num_asked, at_work, ended, run, result, outlook)


def _num_lines(path: Path) -> int:
    if not path.exists() or not path.stat().st_size:
        return 0
    return len(read_text(path).splitlines())
