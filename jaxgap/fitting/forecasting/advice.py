"""Whether to continue: what is left to gain, how long it takes, and what one more round is worth.

All of it comes from the draws of the solver's future curve, so it shares the forecast's
uncertainty. Where the draws disagree, the advice is "cannot tell". A random walk has no limit:
statements about limits use the other shapes only, and are not made where the walk outweighs them.
"""

import dataclasses
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.forecasting.futures import Futures
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.shapes import RandomWalk
from jaxgap.fitting.intervals.time_to_limit import FARTHEST

# Advice is given at odds of at least four to one.
_CONFIDENT = 0.8
_NUM_TIMES = 96


@dataclasses.dataclass(frozen=True)
class RoundsLeft:
    """How long until the solver stays within `epsilon` of its limit (Corollary 3.2, generalised).

    In the unit of the trajectory's times, counted from the last one. A number more than a hundred
    observed durations away is `None`, with the reason; all are `None` where a random walk describes
    the run better than any law with a limit.
    """

    median: float | None
    interval: tuple[float | None, float | None]
    epsilon: float
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; it has a `"reason"` where something is null."""
        form: dict[str, Any] = {
            "median": self.median,
            "interval": list(self.interval),
            "epsilon": self.epsilon,
        }
        return form if self.reason is None else form | {"reason": self.reason}


@dataclasses.dataclass(frozen=True)
class Advice:
    """`stop`, `continue` or `cannot tell`, and why.

    - `next_gain`, `next_gain_interval`: the gain of one more round, in accuracy or in nats;
        positive is an improvement.
    - `round_length`: how long a round is.
    - `cost`: the gain that makes a round worthwhile, or `None`.
    - `probability`: that the next round is worth its cost; without a cost, that more than epsilon
        is left to gain, or `None` where the run shows no limit.
    """

    verdict: Literal["stop", "continue", "cannot tell"]
    why: str
    next_gain: float
    next_gain_interval: tuple[float, float]
    round_length: float
    cost: float | None
    probability: float | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        return dataclasses.asdict(self) | {"next_gain_interval": list(self.next_gain_interval)}


def times_ahead(ts: Float[np.ndarray, " rows"], round_length: float) -> Float[np.ndarray, " times"]:
    """When to evaluate a curve measured at `ts`: now, at growing intervals, and after a round.

    The first interval is that between rows, unless a round is shorter. Now is the time of the last
    row, even in a long run, whose last block has an earlier mean time.
    """
    now = ts[-1]
    farthest = FARTHEST * (now - ts[0])
    first = min(round_length, float(np.median(np.diff(ts))))
    later = np.geomspace(first, max(farthest, 2 * round_length), _NUM_TIMES - 1)
    later[np.searchsorted(later, round_length)] = round_length
    return np.append(now, now + later)


def no_law(observations: Observations, futures: Futures) -> bool:
    """Whether a random walk describes the run better than all shapes that have a limit.

    A run that stands still has reached a limit, which a walk that does not move describes as well.
    """
    if observations.stands_still and futures.lawful.any():
        return False
    return futures.weights[RandomWalk.name] > 0.5


def rounds_left(
    observations: Observations,
    futures: Futures,
    ts: Float[np.ndarray, " times"],
    epsilon: float,
    level: float,
) -> RoundsLeft:
    """The time until each draw's trend, without residual, is within epsilon of its own limit."""
    if no_law(observations, futures):
        return RoundsLeft(None, (None, None), epsilon, _no_law_reason(futures))
    curves = observations.capability(futures.trends[futures.lawful])
    limits = observations.capability(futures.limits[futures.lawful])
    elapsed = _last_crossing(np.abs(curves - limits[:, None]), ts - ts[0], epsilon)
    probabilities = [0.5, (1 - level) / 2, (1 + level) / 2]
    # Not interpolated: there is nothing between a time and "never".
    quantiles = np.quantile(elapsed, probabilities, method="inverted_cdf")
    median, low, high = (float(q) if np.isfinite(q) else None for q in quantiles)
    reason = None
    if high is None:
        share = float(np.mean(np.isinf(elapsed)))
        reason = (
            f"with probability {share:.0%} the limit is further away than "
            f"{FARTHEST:g} times the observed time"
        )
    return RoundsLeft(median, (low, high), epsilon, reason)


def _last_crossing(
    distances: Float[np.ndarray, "draws times"], ts: Float[np.ndarray, " times"], epsilon: float
) -> Float[np.ndarray, " draws"]:
    """When each draw comes within epsilon for good; infinite for one that is not by the end.

    Between two times, which are too far apart to take the next one, the distance is interpolated
    exponentially.
    """
    away = distances > epsilon
    num_away = away.shape[1] - np.argmax(away[:, ::-1], axis=1)
    after = np.where(away.any(axis=1), num_away, 0)
    within = np.clip(after, 1, away.shape[1] - 1)
    logs = np.log(np.maximum(distances, 1e-300))
    before, then = (
        np.take_along_axis(logs, index[:, None], 1)[:, 0] for index in (within - 1, within)
    )
    part = (before - np.log(epsilon)) / np.where(before > then, before - then, 1.0)
    crossing = ts[within - 1] + np.clip(part, 0.0, 1.0) * (ts[within] - ts[within - 1])
    return np.where(after == 0, 0.0, np.where(after < away.shape[1], crossing, np.inf))


def advise(
    observations: Observations,
    futures: Futures,
    ts: Float[np.ndarray, " times"],
    *,
    round_length: float,
    epsilon: float,
    cost: float | None,
    level: float,
) -> Advice:
    """What the draws at `ts`, from :func:`times_ahead`, say about continuing."""
    sign = 1.0 if observations.is_accuracy else -1.0
    after_round = np.searchsorted(ts, ts[0] + round_length)
    now, then = observations.capability(futures.logs[:, [0, after_round]]).T
    gains = sign * (then - now)
    if cost is not None:
        probability = float(np.mean(gains > cost))
        why = _with_odds(probability, f"the next round gains more than it costs ({cost:.3g})")
    elif no_law(observations, futures):
        probability, why = None, _no_law_reason(futures)
    else:
        probability = _left_to_gain(observations, futures, epsilon)
        why = _with_odds(probability, f"more than {epsilon:.3g} is left to gain")
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    return Advice(
        _verdict(probability),
        why,
        float(np.median(gains)),
        (float(low), float(high)),
        round_length,
        cost,
        probability,
    )


def _left_to_gain(observations: Observations, futures: Futures, epsilon: float) -> float:
    """The probability, under the shapes that have a limit, of a gain above epsilon until there."""
    sign = 1.0 if observations.is_accuracy else -1.0
    limits = observations.capability(futures.limits[futures.lawful])
    now = observations.capability(futures.trends[futures.lawful, 0])
    return float(np.mean(sign * (limits - now) > epsilon))


def _verdict(probability: float | None) -> Literal["stop", "continue", "cannot tell"]:
    if probability is None:
        return "cannot tell"
    if probability >= _CONFIDENT:
        return "continue"
    return "stop" if probability <= 1 - _CONFIDENT else "cannot tell"


def _with_odds(probability: float, question: str) -> str:
    return f"with probability {probability:.0%} {question}"


def _no_law_reason(futures: Futures) -> str:
    share = futures.weights[RandomWalk.name]
    return f"with probability {share:.0%} the run is a random walk, which has no limit"
