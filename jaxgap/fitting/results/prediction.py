"""The fitted curves at any time, with their uncertainty."""

import dataclasses
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgap.fitting.curves import Curves, padded_length
from jaxgap.fitting.intervals.bands import bands
from jaxgap.fitting.intervals.search_start import minimised
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.trajectory import Kind

Series = Float[np.ndarray, " times"]


class Band(NamedTuple):
    """A curve and the interval around it at each time; the ends may be infinite."""

    estimate: Series
    lower: Series
    upper: Series

    def mirrored(self) -> "Band":
        """The band of the accuracy for this error rate."""
        return Band(1.0 - self.estimate, 1.0 - self.upper, 1.0 - self.lower)

    def within(self, lower: float, upper: float) -> "Band":
        """The part between two natural bounds, which the law itself does not respect.

        Infinite ends stay, and so does a band wholly outside the bounds, so that this shows.
        """
        outside = (self.lower > upper) | (self.upper < lower)

        def moved(values: Series) -> Series:
            return np.where(outside | np.isinf(values), values, np.clip(values, lower, upper))

        return Band(*map(moved, self))


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The solver, the verifier and the gap at `ts`, with bands at `level`.

    In the trajectory's own terms: accuracies end at 0 and 1, and their gap is verifier minus
    solver.
    `verifier` and `gap` are `None` where the trajectory has no verifier.
    """

    ts: Series
    level: float
    solver: Band
    verifier: Band | None
    gap: Band | None

    @classmethod
    def of_bands(
        cls,
        ts: Series,
        bands: Float[np.ndarray, "times 3 3"],
        level: float,
        kind: Kind,
        has_verifier: bool,
    ) -> "Prediction":
        """From the output of :func:`predict_bands`."""
        solver, verifier, gap = (Band(*bands[:, index].T) for index in range(3))
        if kind == "accuracy":
            solver, verifier = (each.mirrored().within(0.0, 1.0) for each in (solver, verifier))
        if not has_verifier:
            return cls(ts, level, solver, None, None)
        return cls(ts, level, solver, verifier, gap)


def checked_times(ts: ArrayLike, first: float) -> Series:
    """Times at which a fit can be evaluated, as an array.

    **Raises:** `ValueError` for times before `first`, not finite, or not one-dimensional.
    """
    ts = np.asarray(ts, dtype=np.float64)
    if ts.ndim != 1 or not ts.size:
        raise ValueError(f"ts must be a list of times, got shape {ts.shape}")
    if not np.isfinite(ts).all() or ts.min() < first:
        raise ValueError(
            f"ts must be finite and not before the first measured time {first:g}, got {ts.min():g}"
        )
    return ts


def predict_bands(
    problem: FitProblem, curves: Curves, raw: RawFit, ts: Series, quantile: float | None
) -> Float[np.ndarray, "times 3 3"]:
    """Estimate, lower and upper end by time and curve; without a quantile the ends are infinite."""
    num_padded = padded_length(len(ts))
    with double_precision():
        padded = jnp.asarray(np.pad(ts, (0, num_padded - len(ts)), mode="edge"))
        # An array, since a Python float would be compiled in as a constant.
        bound = jnp.asarray(quantile or 1.0)
        found = np.array(_bands(problem, curves, raw, padded, bound))[: len(ts)]
    if quantile is None:
        found[..., 1], found[..., 2] = -np.inf, np.inf
    return found


@eqx.filter_jit
def _bands(problem: FitProblem, curves: Curves, raw: RawFit, ts, quantile):
    return bands(problem, minimised(curves, raw), ts, quantile)
