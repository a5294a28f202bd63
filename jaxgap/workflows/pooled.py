"""The seeds of one experiment pooled: rate, ratio and the solver's limit, with predictions for the
next seed.

A run for which the law fails (its fit did not converge, or it is already beyond the number) is not
dropped, since the remaining runs would be selected for agreeing with the law. The number is
withheld instead.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.pooling import Interval, Profile, RandomEffects, pool, profiles_of
from jaxgap.fitting.results.number_words import number
from jaxgap.fitting.results.objection import objection

Scale = Literal["identity", "log", "logit"]


class _Pooling(NamedTuple):
    """A number to pool: its name in the fit, and the scale on which runs are taken as normal."""

    name: str
    scale: Scale


_NUMBERS = {
    "limit": _Pooling("solver", "identity"),
    "rate": _Pooling("rate", "log"),
    "ratio": _Pooling("ratio", "logit"),
}
_TINY = 1e-12
# With fewer runs that bound a number, the spread between runs is unknown.
MIN_BOUNDED = 2
# Seeds of one experiment whose lengths differ by more than this factor may differ in their unit.
_MOST_LENGTHS = 10
# An interval of rates, or of a ratio's odds, that spans more than this factor is uninformative.
_MOST_FACTOR = 1e3


@dataclasses.dataclass(frozen=True)
class PooledNumber:
    """One number over the runs of a group, in its own unit except for the spread.

    - `scale`: the scale on which runs are assumed to be normally distributed; `spread` is their
        standard deviation on it: on a logarithmic scale 0.1 is about a tenth.
    - `mean`, `spread`, `next_run`: see :class:`jaxgap.fitting.pooling.RandomEffects`.
    - `runs`: by run name, the number as informed by the other runs.
    - `failed`: by run name, how the law fails; if any does, the number is withheld.
    - `left_out`: by run name, why it does not contribute: not measured, or no noise to judge by.
        The number is that of the other runs.
    - `reason`: why mean, spread, next run and runs are missing, or `None`. The spread is given even
        so where the mean is too uncertain, but each run bounds its own number.
    """

    scale: Scale
    mean: Interval | None
    spread: Interval | None
    next_run: Interval | None
    runs: dict[str, Interval]
    failed: dict[str, str]
    left_out: dict[str, str]
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form: nothing in it is NaN or infinite."""
        form: dict[str, Any] = {
            "scale": self.scale,
            "mean": _form(self.mean),
            "spread": _form(self.spread),
            "next_run": _form(self.next_run),
            "runs": {name: _form(interval) for name, interval in self.runs.items()},
            "failed": dict(self.failed),
            "left_out": dict(self.left_out),
        }
        return form if self.reason is None else form | {"reason": self.reason}


@dataclasses.dataclass(frozen=True)
class PooledGroup:
    """The runs of one experiment, and their pooled numbers.

    - `name`: of the experiment.
    - `runs`: the names of its runs.
    - `not_described`: the runs that the law does not describe; those that converged are pooled
        nevertheless.
    - `numbers`: `limit` (of the solver), `rate` and `ratio`.
    - `warnings`: what a reader has to know of the group as a whole.
    """

    name: str
    runs: tuple[str, ...]
    not_described: tuple[str, ...]
    numbers: dict[str, PooledNumber]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        numbers = {name: pooled.to_dict() for name, pooled in self.numbers.items()}
        return {
            "name": self.name,
            "runs": list(self.runs),
            "not_described": list(self.not_described),
            "warnings": list(self.warnings),
        } | numbers


def pool_group(
    name: str, runs: Sequence[str], results: Sequence[FitResult], level: float
) -> PooledGroup:
    """Pool the fits of the seeds of one experiment.

    **Arguments:**

    - `name`: of the experiment.
    - `runs`, `results`: the runs' names and their fits of the same law.
    - `level`: of the intervals.
    """
    by_name = dict(zip(runs, results, strict=True))
    astray = [run for run, each in by_name.items() if objection(each) is not None]
    if len({(result.kind, result.time_unit) for result in results}) > 1:
        reason = "its runs differ in kind or time unit"
        numbers = {each: _absent(scale, reason) for each, (_, scale) in _NUMBERS.items()}
    else:
        profiles = {run: _profiles(result) for run, result in by_name.items()}
        numbers = {
            label: _pooled(pooling, by_name, profiles, level) for label, pooling in _NUMBERS.items()
        }
    return PooledGroup(name, tuple(runs), tuple(astray), numbers, _uneven_lengths(results))


def _uneven_lengths(results: Sequence[FitResult]) -> tuple[str, ...]:
    """A warning if some runs are so much longer that their times may have another unit."""
    durations = [float(result.source.curves.duration) for result in results]
    shortest, longest = min(durations), max(durations)
    if longest <= _MOST_LENGTHS * shortest:
        return ()
    return (
        f"the shortest of these runs lasts {number(shortest, 3)} and the longest "
        f"{number(longest, 3)} {results[0].time_unit}s: if they do not count the same thing, such "
        "as epochs and steps, rates pooled over them mean nothing",
    )


def _profiles(result: FitResult) -> dict[str, Profile]:
    # If a fit did not converge, no number has an interval, and so none has a profile.
    return profiles_of(result, [pooling.name for pooling in _NUMBERS.values()])


def _pooled(
    pooling: _Pooling,
    results: Mapping[str, FitResult],
    profiles: Mapping[str, Mapping[str, Profile]],
    level: float,
) -> PooledNumber:
    """One number over all runs of a group."""
    name, scale = pooling
    failures = {run: _failure(result, name) for run, result in results.items()}
    failed = {run: why for run, why in failures.items() if why is not None}
    if failed:
        said = "; ".join(f"{run}: {why}" for run, why in failed.items())
        reason = f"withheld, as the law fails for {len(failed)} of {len(results)} runs: {said}"
        return dataclasses.replace(_absent(scale, reason), failed=failed)
    own = {
        run: each[name].mapped(_FORWARD[scale]) for run, each in profiles.items() if name in each
    }
    left_out = {run: _silence(each, name) for run, each in results.items() if run not in own}
    num_bounded = sum(profile.bounded for profile in own.values())
    if num_bounded < MIN_BOUNDED:
        reason = f"{num_bounded} of {len(results)} runs bound it on both sides; two are needed"
        return dataclasses.replace(_absent(scale, reason), left_out=left_out)
    effects: RandomEffects = pool(list(own.values()), level)
    too_wide = _too_wide(effects.mean, scale, list(results.values()))
    if too_wide is not None:
        spread = effects.spread if num_bounded == len(own) else None
        return dataclasses.replace(_absent(scale, too_wide), spread=spread, left_out=left_out)
    kinds = {result.kind for result in results.values()}
    bounds = (0.0, 1.0) if name == "solver" and kinds == {"accuracy"} else (-math.inf, math.inf)

    def backward(interval: Interval) -> Interval:
        return _within(_backward(interval, scale), *bounds)

    in_light = zip(own, effects.runs, strict=True)
    return PooledNumber(
        scale,
        backward(effects.mean),
        effects.spread,
        backward(effects.next_run),
        {run: backward(interval) for run, interval in in_light},
        {},
        left_out,
        None,
    )


def _too_wide(mean: Interval, scale: Scale, results: Sequence[FitResult]) -> str | None:
    """Why the runs do not determine their mean, if so: one with an open end can dominate it."""
    width = mean.high - mean.low
    if scale != "identity":
        if width <= math.log(_MOST_FACTOR):
            return None
        return f"its interval spans more than a factor of {_MOST_FACTOR:,.0f}"
    most = _range_observed(results)
    if width <= most:
        return None
    return f"its interval is wider than the whole range observed, {most:.3g}"


def _range_observed(results: Sequence[FitResult]) -> float:
    """From the least to the greatest value of all runs, for the series where that is more."""
    rows = np.concatenate([result.source.curves.ys[: result.num_points] for result in results])
    measured = np.concatenate(
        [result.source.curves.weights[: result.num_points] > 0 for result in results]
    )
    series = [ys[kept] for ys, kept in zip(rows.T, measured.T, strict=True)]
    return max(float(np.ptp(ys)) for ys in series if ys.size)


def _failure(result: FitResult, name: str) -> str | None:
    """How the law fails for a run, if it does."""
    if not result.converged:
        return f"its fit {result.stopped}"
    estimate = _estimate(result, name)
    return estimate.reason if estimate.identifiability == "refuted" else None


def _silence(result: FitResult, name: str) -> str:
    """Why a run has no interval of a number."""
    return _estimate(result, name).reason or "it has no interval"


def _estimate(result: FitResult, name: str) -> Estimate:
    missing = Estimate.absent(f"the {result.model} law has no such number")
    return {**result.parameters, **result.limits}.get(name, missing)


def _absent(scale: Scale, reason: str) -> PooledNumber:
    return PooledNumber(scale, None, None, None, {}, {}, {}, reason)


def _log(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    # Far below any rate in any unit of time; a rate of zero, in a profile, has no logarithm.
    return np.log(np.maximum(values, 1e-300))


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


def _within(interval: Interval, least: float, most: float) -> Interval:
    """The interval clipped to the number's range, like those of single runs."""
    return Interval(*(min(max(end, least), most) for end in dataclasses.astuple(interval)))


def _form(interval: Interval | None) -> dict[str, Any] | None:
    """An interval in JSON; an unbounded end is null."""
    if interval is None:
        return None
    ends = [end if math.isfinite(end) else None for end in (interval.low, interval.high)]
    return {"estimate": interval.estimate, "interval": ends}
