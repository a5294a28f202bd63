r"""Forecasts: the predictive distribution of a run at a future time.

A forecast combines the uncertainty about the law (weights over shapes), about its parameters, about
how the run will stray from it, and the measurement noise. It is a set of draws: the interval is
that of the draws, and the point forecast is their median, which minimises the expected absolute
error.

Solver and verifier are forecast separately: on the paper's own curves their rates differ, and one
must not spoil the other. The gap is what the theory is about, a positive quantity that decays by a
law of the same family, and is forecast as a series of its own; where it has been negative, the
difference of independent draws of the two is used, which errs on the wide side.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, PRNGKeyArray
from numpy.typing import ArrayLike

from jaxgap.errors import InputError
from jaxgap.fitting.arguments import check_level
from jaxgap.fitting.forecasting.advice import (
    Advice,
    RoundsLeft,
    advise,
    no_law,
    rounds_left,
    times_ahead,
)
from jaxgap.fitting.forecasting.futures import Futures, sample_futures
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.thinning import rows_a_block, thinned
from jaxgap.fitting.results.estimate import NO_VERIFIER
from jaxgap.fitting.results.time_left import EPSILON_ACCURACY, EPSILON_RELATIVE
from jaxgap.trajectory import Kind, Trajectory
from jaxgap.trajectory.computable import check_computable

# No law can say anything about a time this many windows ahead.
_FARTHEST = 1e6
# With fewer effective draws than this, medians and probabilities are unreliable.
_FEW_DRAWS = 100


@dataclasses.dataclass(frozen=True)
class Predictive:
    """The distribution of one number as draws, with its mean, median and interval.

    The mean is `None` where it lies outside the interval: then a few draws from a long tail
    dominate it, and another seed would give another mean.
    """

    draws: Float[np.ndarray, " draws"] = dataclasses.field(repr=False)
    mean: float | None
    median: float
    interval: tuple[float, float]

    @classmethod
    def of_draws(cls, draws: Float[np.ndarray, " draws"], level: float) -> "Predictive":
        """The central interval at `level` and what else is reported."""
        low, median, high = map(float, np.quantile(draws, [(1 - level) / 2, 0.5, (1 + level) / 2]))
        mean = float(draws.mean())
        return cls(draws, mean if low <= mean <= high else None, median, (low, high))

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        form = {"mean": self.mean, "median": self.median, "interval": list(self.interval)}
        if self.mean is None:
            form["reason"] = "the mean is outside of the interval: a few draws decide it"
        return form


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a run will measure at `horizon`, and whether to continue it.

    - `horizon`: an absolute time, in `time_unit`s.
    - `level`: of the intervals.
    - `solver`, `verifier`, `gap`: each a :class:`Predictive` in the trajectory's own terms; the
        last two are `None` without a verifier, or with one whose uncertainty is not above zero
        everywhere, and `reason` says so.
    - `rounds_left`, `advice`: about the solver.
    - `weights`: the weight of each shape of curve in the solver's forecast; they sum to one.
    - `warnings`: what a reader has to know.
    """

    horizon: float
    level: float
    solver: Predictive
    verifier: Predictive | None
    gap: Predictive | None
    rounds_left: RoundsLeft
    advice: Advice
    weights: dict[str, float]
    warnings: tuple[str, ...]
    kind: Kind
    time_unit: str
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form, in which nothing is NaN or infinite."""
        form = {
            "horizon": self.horizon,
            "level": self.level,
            "solver": self.solver.to_dict(),
            "verifier": None if self.verifier is None else self.verifier.to_dict(),
            "gap": None if self.gap is None else self.gap.to_dict(),
            "rounds_left": self.rounds_left.to_dict(),
            "advice": self.advice.verdict,
            "advice_detail": self.advice.to_dict(),
            "weights": dict(self.weights),
            "warnings": list(self.warnings),
            "kind": self.kind,
            "time_unit": self.time_unit,
        }
        return form if self.reason is None else form | {"reason": self.reason}


def forecast(
    trajectory: Trajectory,
    horizon: float,
    *,
    key: PRNGKeyArray,
    level: float = 0.9,
    epsilon: float | None = None,
    cost: float | None = None,
    round_length: float | None = None,
) -> Forecast:
    r"""Forecast a run from its measurements so far.

    $$p(y_h \mid y_{1:n}) = \sum_i w_i\, p(y_h \mid y_{1:n}, \theta_i), \qquad
      w_i \propto \pi_i\, p(y_{1:n} \mid \theta_i)^{1/2},$$

    over draws $\theta_i$ of shapes and their parameters from a prior that is the same for every
    run, relative to its window (:mod:`jaxgap.fitting.forecasting.shapes`); $\pi_i$ is the prior
    odds of its shape.

    **Arguments:**

    - `trajectory`: at least three rows. Accuracies are forecast as error rates, with binomial noise
        where the number of items is known. The solver's uncertainties must be above zero; if the
        verifier's are not, it and the gap are not forecast.
    - `horizon`: a time after the last measured one.
    - `key`: for the draws, from `jax.random.key`; the same key gives the same forecast.
    - `level`: of the intervals, in (0, 1).
    - `epsilon`: how close to the limit counts as reached for `rounds_left`: by default a point of
        accuracy, or a twentieth of the present uncertainty.
    - `cost`: the gain that makes one more round worthwhile, in accuracy or nats; without it the
        advice goes by whether more than `epsilon` is left to gain.
    - `round_length`: in time units, by default the median spacing of the rows.

    **Returns:**

    A :class:`Forecast` of a single measurement at the horizon, its noise included.

    **Raises:**

    `InputError` (a `ValueError`) if the horizon is not after the last time, the level not in
    (0, 1), epsilon or the round length not above zero, or a solver's uncertainty zero or less.

    **Example:**

    >>> ts = np.arange(12.0)
    >>> run = Trajectory(ts, 1 + 2 * np.exp(-0.5 * ts))
    >>> ahead = forecast(run, 20.0, key=jax.random.key(0))
    >>> ahead.solver.interval[0] < 1.0 < ahead.solver.interval[1]
    True

    The idea of averaging learning curves over a parametric family goes back to Domhan et al. (IJCAI
    2015); the shapes are those of the theory (arXiv:2507.00075) and of ScaleRL (arXiv:2510.13786).
    """
    _check(trajectory, horizon, level, epsilon, cost, round_length)
    # JSON has no float32.
    level = float(level)
    epsilon, cost, round_length = (
        None if each is None else float(each) for each in (epsilon, cost, round_length)
    )
    future_key, noise_key, verifier_key, gap_key = jax.random.split(key, 4)
    observations = _observations(trajectory, "solver")
    if round_length is None:
        round_length = float(np.median(np.diff(trajectory.ts)))
    if epsilon is None:
        # In a long run the last row by itself is mostly noise, and may be zero: use the last block.
        now = float(thinned(trajectory).solver[-1])
        epsilon = EPSILON_ACCURACY if observations.is_accuracy else EPSILON_RELATIVE * now
    ts = times_ahead(trajectory.ts, round_length)
    # The forecast and the advice use the same draws.
    futures = sample_futures(observations, np.append(ts, horizon), future_key)
    draws = observations.measure(futures.logs[:, -1:], futures.noise_levels, noise_key)
    solver = Predictive.of_draws(draws[:, 0], level)
    futures = futures._replace(logs=futures.logs[:, :-1], trends=futures.trends[:, :-1])
    verifier, gap, num_effective = None, None, futures.num_effective
    reason = _why_no_verifier(trajectory)
    if reason is None:
        verifier, gap, of_others = _verifier_and_gap(
            trajectory, solver, horizon, level, verifier_key, gap_key
        )
        num_effective = min(num_effective, of_others)
    withheld = () if reason in (None, NO_VERIFIER) else (reason,)
    return Forecast(
        horizon=float(horizon),
        level=level,
        solver=solver,
        verifier=verifier,
        gap=gap,
        rounds_left=rounds_left(observations, futures, ts, epsilon, level),
        advice=advise(
            observations,
            futures,
            ts,
            round_length=round_length,
            epsilon=epsilon,
            cost=cost,
            level=level,
        ),
        weights=futures.weights,
        warnings=withheld + _warnings(observations, futures, num_effective, trajectory, horizon),
        kind=trajectory.kind,
        time_unit=trajectory.time_unit,
        reason=reason,
    )


def forecast_average(
    trajectory: Trajectory, ts: ArrayLike, *, key: PRNGKeyArray, level: float = 0.9
) -> Predictive:
    """Forecast the mean of the solver's measurements at several future times.

    **Arguments:**

    - `ts`: one or more increasing times, all after the last measured one.
    - the others: as for :func:`forecast`.

    **Returns:**

    The distribution of that mean, measurement noise included, with its interval at `level`.

    **Raises:**

    `InputError` (a `ValueError`) for invalid times, and as :func:`forecast` does.
    """
    ts = np.asarray(ts, np.float64)
    if ts.ndim != 1 or not ts.size or not np.isfinite(ts).all() or (np.diff(ts) <= 0).any():
        raise InputError(f"ts must be one or more finite, increasing times, got {ts.tolist()}")
    for horizon in (ts[0], ts[-1]):
        _check(trajectory, float(horizon), level, None, None, None)
    draws, _ = _measured(_observations(trajectory, "solver"), ts, key)
    return Predictive.of_draws(draws.mean(axis=1), level)


def _observations(trajectory: Trajectory, name: str) -> Observations:
    """One series on the scale of the forecast; a long one as means of blocks of rows."""
    run = thinned(trajectory)
    values, stderrs = getattr(run, name), getattr(run, f"{name}_se")
    if run.kind == "accuracy":
        found = Observations.of_accuracies(run.ts, values, run.num_items, stderrs)
    else:
        found = Observations.of_positive(run.ts, values, stderrs, name)
    return found.of_single_rows(rows_a_block(trajectory.num_rows))


def _measured(
    observations: Observations, ts: Float[np.ndarray, " times"], key: PRNGKeyArray
) -> tuple[Float[np.ndarray, "draws times"], float]:
    """Draws of measurements at `ts`, and the effective number of draws."""
    future_key, noise_key = jax.random.split(key)
    futures = sample_futures(observations, ts, future_key)
    draws = observations.measure(futures.logs, futures.noise_levels, noise_key)
    return draws, futures.num_effective


def _why_no_verifier(trajectory: Trajectory) -> str | None:
    """Why the verifier and the gap cannot be forecast, if so."""
    verifier = thinned(trajectory).verifier
    if verifier is None:
        return NO_VERIFIER
    if trajectory.kind == "accuracy" or verifier.min() > 0:
        return None
    return (
        "the verifier and the gap are not forecast: that needs uncertainties above zero, and the "
        f"verifier's is {float(verifier.min()):g} at least once"
    )


def _verifier_and_gap(
    trajectory: Trajectory,
    solver: Predictive,
    horizon: float,
    level: float,
    verifier_key: PRNGKeyArray,
    gap_key: PRNGKeyArray,
) -> tuple[Predictive, Predictive, float]:
    """Both forecasts, and the smaller effective number of draws."""
    ts = np.array([horizon])
    draws, num_effective = _measured(_observations(trajectory, "verifier"), ts, verifier_key)
    verifier = Predictive.of_draws(draws[:, 0], level)
    blocks = thinned(trajectory)
    if blocks.gap is not None and blocks.gap.min() > 0:
        positive = Observations.of_positive(blocks.ts, blocks.gap, None, "gap")
        positive = positive.of_single_rows(rows_a_block(trajectory.num_rows))
        draws, of_gap = _measured(positive, ts, gap_key)
        return verifier, Predictive.of_draws(draws[:, 0], level), min(num_effective, of_gap)
    sign = 1.0 if trajectory.kind == "uncertainty" else -1.0
    # Draws are ordered by shape; without a shuffle equal shapes would be paired.
    shuffled = np.asarray(jax.random.permutation(gap_key, len(draws)))
    difference = sign * (solver.draws - verifier.draws[shuffled])
    return verifier, Predictive.of_draws(difference, level), num_effective


def _warnings(
    observations: Observations,
    futures: Futures,
    num_effective: float,
    trajectory: Trajectory,
    horizon: float,
) -> tuple[str, ...]:
    """Warnings about the weights, the draws and the distance of the horizon."""
    found = []
    size = rows_a_block(trajectory.num_rows)
    if size > 1:
        found.append(f"{trajectory.num_rows} rows were averaged in blocks of {size}")
    if num_effective < _FEW_DRAWS:
        found.append(
            f"the forecast rests on about {num_effective:.0f} effective draws: another seed may "
            "give other numbers"
        )
    if futures.turned > 0.5:
        found.append(
            f"the solver is past its best with probability {futures.turned:.0%}: a law without "
            "losses does not describe this run"
        )
    if observations.stands_still:
        found.append("the solver stands still: all its measurements are the same")
    if no_law(observations, futures):
        found.append(
            "no law describes this run better than a random walk: it shows neither a limit nor the "
            "solver-verifier law"
        )
    window = trajectory.ts[-1] - trajectory.ts[0]
    distance = (horizon - trajectory.ts[-1]) / window
    if distance > 5:
        found.append(
            f"the horizon lies {distance:.0f} times the observed time ahead: the prior outweighs "
            "the data there"
        )
    return tuple(found)


def _check(
    trajectory: Trajectory,
    horizon: float,
    level: float,
    epsilon: float | None,
    cost: float | None,
    round_length: float | None,
) -> None:
    check_computable(trajectory)
    last = float(trajectory.ts[-1])
    if not (np.isfinite(horizon) and horizon > last):
        raise InputError(f"horizon must be after the last measured time {last:g}, got {horizon:g}")
    if horizon - last > _FARTHEST * (last - float(trajectory.ts[0])):
        raise InputError(
            f"horizon must be within {_FARTHEST:g} times the observed time, got {horizon:g}"
        )
    check_level(level)
    for name, value in (("epsilon", epsilon), ("round_length", round_length)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} must be above zero, got {value}")
    if cost is not None and not 0 <= cost < np.inf:
        raise InputError(f"cost must be finite and not below zero, got {cost}")
