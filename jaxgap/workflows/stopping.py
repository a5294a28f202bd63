"""Stopping by forecast: a run ends when another round is not expected to be worth its cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax

from jaxgap.errors import InputError
from jaxgap.fitting.forecasting import forecast
from jaxgap.improve.kept_run import EndRun
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.trajectory import read_csv

# Fewer checkpoints than this leave nearly everything to the prior.
_MIN_CHECKPOINTS = 5


def stop_when_not_worth(folder: Path, cost: float, *, seed: int) -> Callable[[RoundMetrics], None]:
    """A judge of each checkpoint of the run in `folder`, which ends it by :class:`EndRun`.

    Each time it forecasts the solver from all that was measured so far, and asks whether the next
    round lowers its uncertainty by more than `cost`. It ends the run when that is unlikely (one
    chance in five, or less), and goes on while it cannot tell.

    **Arguments:**

    - `folder`: the RUN folder, whose trajectory.csv is read.
    - `cost`: what a round has to gain to be worth it, in nats, >= 0.
    - `seed`: of the forecast's draws.

    **Raises:** `InputError` if the cost is negative or not finite.
    """
    if not 0 <= cost < float("inf"):
        raise InputError(f"--stop-when must be a gain in nats, 0 or more, got {cost}")

    def judge(metrics: RoundMetrics) -> None:
        if metrics.round_index + 1 < _MIN_CHECKPOINTS:
            return
        run = read_csv(folder / "trajectory.csv")
        key = jax.random.fold_in(jax.random.key(seed), metrics.round_index)
        horizon = float(run.ts[-1]) + 1.0
        advice = forecast(run, horizon, key=key, cost=cost, round_length=1.0).advice
        if advice.verdict == "stop":
            raise EndRun(f"another round is not worth it: {advice.why}")

    return judge
