"""Whether to go on: what is left to gain, how long it takes, and what one more round is worth.

All of it is read off the draws of how the solver's curve goes on, so it shares the forecast's
doubts. Where the draws disagree, the advice is that one cannot tell.
"""

import dataclasses
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.posterior import Futures

# Advice is given at odds of four to one.
_CONFIDENT = 0.8
# Nothing is said about times further away than this many windows: a hundred times what was seen.
_FARTHEST = 100.0
_NUM_TIMES = 96


@dataclasses.dataclass(frozen=True)
class RoundsLeft:
    """How long until the solver stays within `epsilon` of its limit (Corollary 3.2, generalised).

    In the unit of the trajectory's times, from its last. An end that lies further away than a
    hundred times what was seen is `None`, with the reason.
    """

    median: float | None
    interval: tuple[float | None, float | None]
    epsilon: float
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; `"reason"` is there where something is null."""
        form: dict[str, Any] = {
            "median": self.median,
            "interval": list(self.interval),
            "epsilon": self.epsilon,
        }
        return form if self.reason is None else form | {"reason": self.reason}


@dataclasses.dataclass(frozen=True)
class Advice:
    """`stop`, `continue` or `cannot tell`, and why.

    - `next_gain`, `next_gain_interval`: what one more round brings, in accuracy or in nats; above
        zero is better.
    - `round_length`: how long a round is.
    - `cost`: what a round has to bring to be worth it, or `None`.
    - `probability`: that the next round is worth its cost; without a cost, that more than epsilon
        is left to gain.
    """

    verdict: Literal["stop", "continue", "cannot tell"]
    why: str
    next_gain: float
    next_gain_interval: tuple[float, float]
    round_length: float
    cost: float | None
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        return dataclasses.asdict(self) | {"next_gain_interval": list(self.next_gain_interval)}


def times_ahead(observations: Observations, round_length: float) -> Float[np.ndarray, " times"]:
    """When to look at a curve: now, after one round, and then ever more rarely."""
    now = observations.ts[-1]
    farthest = _FARTHEST * (now - observations.ts[0])
    later = np.geomspace(round_length, max(farthest, 2 * round_length), _NUM_TIMES - 1)
    return np.append(now, now + later)


def rounds_left(
    observations: Observations,
    futures: Futures,
    ts: Float[np.ndarray, " times"],
    epsilon: float,
    level: float,
) -> RoundsLeft:
    """The time to within epsilon of each draw's own limit; the residual plays no part."""
    curves = observations.capability(futures.trends)
    limits = observations.capability(futures.limits)
    away = np.abs(curves - limits[:, None]) > epsilon
    # The first time after the last at which the curve was away; the end of time if it still is.
    num_away = away.shape[1] - np.argmax(away[:, ::-1], axis=1)
    first = np.where(away.any(axis=1), num_away, 0)
    elapsed = np.append(ts - ts[0], np.inf)[first]
    probabilities = [0.5, (1 - level) / 2, (1 + level) / 2]
    # Not interpolated: between a time and "never" there is nothing.
    quantiles = np.quantile(elapsed, probabilities, method="inverted_cdf")
    median, low, high = (float(q) if np.isfinite(q) else None for q in quantiles)
    reason = None
    if high is None:
        share = float(np.mean(np.isinf(elapsed)))
        reason = (
            f"with probability {share:.0%} the limit is further away than "
            f"{_FARTHEST:g} times what was seen"
        )
    return RoundsLeft(median, (low, high), epsilon, reason)


def advise(
    observations: Observations,
    futures: Futures,
    *,
    round_length: float,
    epsilon: float,
    cost: float | None,
    level: float,
) -> Advice:
    """What the draws at :func:`times_ahead` say about going on."""
    sign = 1.0 if observations.is_accuracy else -1.0
    curves = observations.capability(futures.logs[:, :2])
    gains = sign * (curves[:, 1] - curves[:, 0])
    if cost is None:
        limits = observations.capability(futures.limits)
        now = observations.capability(futures.trends[:, 0])
        probability = float(np.mean(sign * (limits - now) > epsilon))
        question = f"more than {epsilon:.3g} is left to gain"
    else:
        probability = float(np.mean(gains > cost))
        question = f"the next round gains more than it costs ({cost:.3g})"
    verdict = (
        "continue"
        if probability >= _CONFIDENT
        else "stop"
        if probability <= 1 - _CONFIDENT
        else "cannot tell"
    )
    low, high = np.quantile(gains, [(1 - level) / 2, (1 + level) / 2])
    return Advice(
        verdict,
        f"with probability {probability:.0%} {question}",
        float(np.median(gains)),
        (float(low), float(high)),
        round_length,
        cost,
        probability,
    )
