"""The series of a run, as measured and as fitted."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.own_terms import own_terms
from jaxgap.trajectory import Kind


def measured_and_fitted(
    curves: Curves, fitted: Float[np.ndarray, "times 2"], num_rows: int
) -> tuple[dict[str, Float[np.ndarray, " T"]], dict[str, Float[np.ndarray, " T"]]]:
    """The solver, verifier and gap as measured and as fitted, without the padding."""
    pair = []
    for states in (np.asarray(curves.ys), np.asarray(fitted)):
        solver, verifier = states[:num_rows].T
        series = {"solver": solver}
        if curves.has_verifier:
            series |= {"verifier": verifier, "gap": solver - verifier}
        pair.append(series)
    return pair[0], pair[1]


class SeriesWithFit(NamedTuple):
    """One series as measured and as fitted, with its standard errors if they are known."""

    measured: Float[np.ndarray, " T"]
    fitted: Float[np.ndarray, " T"]
    stderrs: Float[np.ndarray, " T"] | None


def in_own_terms(
    curves: Curves, fitted: Float[np.ndarray, "times 2"], num_rows: int, kind: Kind
) -> dict[str, SeriesWithFit]:
    """The solver, and the verifier if it was measured, in the trajectory's own terms."""
    measured, predicted = measured_and_fitted(curves, fitted, num_rows)
    mirrored = kind == "accuracy"
    weights = np.asarray(curves.weights)[:num_rows].T
    names = ("solver", "verifier")[: 1 + curves.has_verifier]
    return {
        name: SeriesWithFit(
            own_terms(measured[name], mirrored),
            own_terms(predicted[name], mirrored),
            1.0 / column if curves.noise_known else None,
        )
        for name, column in zip(names, weights, strict=False)
    }
