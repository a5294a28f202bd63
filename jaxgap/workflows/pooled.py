"""The seeds of one experiment pooled: rate, ratio and the solver's limit, with what the next seed
would give."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxgap.fitting import FitResult
from jaxgap.fitting.pooling import Interval, Profile, RandomEffects, pool, profiles_of

Scale = Literal["identity", "log", "logit"]


class _Pooling(NamedTuple):
    """A number to pool: what the fit calls it, and on which scale runs differ by a normal law."""

    name: str
    scale: Scale


_NUMBERS = {
    "limit": _Pooling("solver", "identity"),
    "rate": _Pooling("rate", "log"),
    "ratio": _Pooling("ratio", "logit"),
}
_TINY = 1e-12
# Fewer runs than this that bound a number cannot say how far runs differ.
_MIN_BOUNDED = 2


@dataclasses.dataclass(frozen=True)
class PooledNumber:
    """One number over the runs of a group, in its own unit but for the spread.

    - `scale`: on which the runs were taken to be normally distributed; `spread`, their standard
        deviation there, is in its unit: on a logarithmic scale 0.1 is about a tenth.
    - `mean`, `spread`, `next_run`: see :class:`jaxgap.fitting.pooling.RandomEffects`.
    - `runs`: by the run's name, the number in the light of the other runs.
    - `reason`: why all of these are missing, or `None`.
    """

    scale: Scale
    mean: Interval | None
    spread: Interval | None
    next_run: Interval | None
    runs: dict[str, Interval]
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        form: dict[str, Any] = {
            "scale": self.scale,
            "mean": _form(self.mean),
            "spread": _form(self.spread),
            "next_run": _form(self.next_run),
            "runs": {name: _form(interval) for name, interval in self.runs.items()},
        }
        return form if self.reason is None else form | {"reason": self.reason}


@dataclasses.dataclass(frozen=True)
class PooledGroup:
    """The runs of one experiment, and what they say together.

    - `name`: of the experiment.
    - `runs`: the names of its runs.
    - `numbers`: `limit` (of the solver), `rate` and `ratio`.
    """

    name: str
    runs: tuple[str, ...]
    numbers: dict[str, PooledNumber]

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        numbers = {name: number.to_dict() for name, number in self.numbers.items()}
        return {"name": self.name, "runs": list(self.runs)} | numbers


def pool_group(
    name: str, runs: Sequence[str], results: Sequence[FitResult], level: float
) -> PooledGroup:
    """Pool the fits of the seeds of one experiment.

    **Arguments:**

    - `name`: of the experiment.
    - `runs`, `results`: the runs' names and their fits by one law.
    - `level`: of the intervals.
    """
    if len({(result.kind, result.time_unit) for result in results}) > 1:
        reason = "its runs differ in kind or time unit"
        absent = {each: _absent(scale, reason) for each, (_, scale) in _NUMBERS.items()}
        return PooledGroup(name, tuple(runs), absent)
    fitted_names = [pooling.name for pooling in _NUMBERS.values()]
    found = [profiles_of(result, fitted_names) if result.converged else {} for result in results]
    numbers = {}
    for label, (fitted_name, scale) in _NUMBERS.items():
        own = {
            run: profiles[fitted_name].mapped(_FORWARD[scale])
            for run, profiles in zip(runs, found, strict=True)
            if fitted_name in profiles
        }
        numbers[label] = _pooled(own, scale, level)
    return PooledGroup(name, tuple(runs), numbers)


def _pooled(profiles: dict[str, Profile], scale: Scale, level: float) -> PooledNumber:
    num_bounded = sum(profile.bounded for profile in profiles.values())
    if num_bounded < _MIN_BOUNDED:
        reason = f"{num_bounded} of {len(profiles)} runs bound it on both sides; two are needed"
        return _absent(scale, reason)
    effects: RandomEffects = pool(list(profiles.values()), level)
    return PooledNumber(
        scale,
        _backward(effects.mean, scale),
        effects.spread,
        _backward(effects.next_run, scale),
        {
            run: _backward(interval, scale)
            for run, interval in zip(profiles, effects.runs, strict=True)
        },
        None,
    )


def _absent(scale: Scale, reason: str) -> PooledNumber:
    return PooledNumber(scale, None, None, None, {}, reason)


def _log(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.log(np.maximum(values, _TINY))


def _logit(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    inside = np.clip(values, _TINY, 1 - _TINY)
    return np.log(inside) - np.log1p(-inside)


_FORWARD = {"identity": np.asarray, "log": _log, "logit": _logit}
_BACKWARD = {
    "identity": float,
    "log": lambda x: math.exp(min(x, 700.0)),
    "logit": lambda x: float(1 / (1 + np.exp(-np.clip(x, -700.0, 700.0)))),
}


def _backward(interval: Interval, scale: Scale) -> Interval:
    return Interval(*(_BACKWARD[scale](value) for value in dataclasses.astuple(interval)))


def _form(interval: Interval | None) -> dict[str, Any] | None:
    """An interval in JSON; an end without bound is null."""
    if interval is None:
        return None
    ends = [end if math.isfinite(end) else None for end in (interval.low, interval.high)]
    return {"estimate": interval.estimate, "interval": ends}
