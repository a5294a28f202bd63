"""Stopping by forecast: a run ends when another round is not expected to be worthwhile."""

from __future__ import annotations

from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.fitting.forecasting import forecast
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.keys import forecast_key
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.watcher import EndRun, Watcher
from jaxgap.run_files import RUN_TABLE
from jaxgap.trajectory import read_csv
from jaxgap.workflows.host_device import on_host

# With fewer checkpoints the prior dominates.
_MIN_CHECKPOINTS = 5


def require_cost(cost: float) -> None:
    """Refuse a cost that no round can have.

    **Raises:** `InputError` if it is negative or not finite.
    """
    if not 0 <= cost < float("inf"):
        raise InputError(f"cost must be a gain in nats, 0 or more, got {cost}")


def stop_when_not_worth(watcher: Watcher, folder: Path, cost: float) -> Watcher:
    """A watcher that, in addition to `watcher`, can end the run in `folder` by :class:`EndRun`.

    At each checkpoint, including the one from which a run is resumed, it forecasts the solver from
    all measurements so far, and whether the next round lowers its uncertainty by more than `cost`.
    It ends the run when that is unlikely (a probability of at most 0.2), or when no uncertainty is
    left, and continues while it cannot tell. The forecast's draws are determined by the run's seed.

    **Arguments:**

    - `watcher`: the watcher that is called first.
    - `folder`: the RUN folder, whose trajectory.csv is read.
    - `cost`: the smallest gain that makes a round worthwhile, in nats, >= 0.

    **Raises:** `InputError` if the cost is negative or not finite.
    """
    require_cost(cost)
    settings = ImproveConfig()

    def on_start(config: ImproveConfig, num_done: int) -> None:
        nonlocal settings
        watcher.on_start(config, num_done)
        settings = config
        if num_done:
            _judge(settings, folder, num_done - 1, cost)

    def on_round(metrics: RoundMetrics) -> None:
        watcher.on_round(metrics)
        _judge(settings, folder, metrics.round_index, cost)

    return watcher._replace(on_start=on_start, on_round=on_round)


def _judge(config: ImproveConfig, folder: Path, round_index: int, cost: float) -> None:
    """End the run after this round if the next is not expected to gain `cost`."""
    if round_index + 1 < _MIN_CHECKPOINTS or round_index == config.num_rounds:
        return
    # The advice is about the solver, whatever the verifier's measurements are.
    run = read_csv(folder / RUN_TABLE).replace(verifier=None, verifier_se=None)
    if run.solver[-1] <= 0:
        raise EndRun("another round is not worthwhile: the solver has no uncertainty left to lower")
    if run.solver.min() <= 0:
        return  # A run that has come back from zero cannot be forecast.
    horizon = float(run.ts[-1]) + 1.0
    with on_host():
        key = forecast_key(config.seed, round_index)
        advice = forecast(run, horizon, key=key, cost=cost, round_length=1.0).advice
    if advice.verdict == "stop":
        raise EndRun(f"another round is not worthwhile: {advice.why}")
