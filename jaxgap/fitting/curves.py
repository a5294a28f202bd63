"""What a fit sees of a trajectory: padded arrays, weights, and the scales of the data.

Everything here is NumPy on the host. Lengths are padded up to a few sizes with weight zero, so that
one compiled program serves many lengths. Accuracies become error rates, of which lower is more
capable, like an uncertainty.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxgap.trajectory import Trajectory


class Curves(eqx.Module):
    """Measured curves, one or (with a leading axis on every leaf) many.

    - `ts`: times; the padding repeats the last.
    - `ys`: `[U_s, U_v]`, lower being more capable; zero where there is no measurement.
    - `weights`: one over the noise's scale; zero where there is no measurement.
    - `t0`, `duration`: the first time, and from there to the last.
    - `value_scale`: the range of the data, which makes tolerances free of units.
    - `noise_known`: whether the weights are one over true standard errors; if not, they are equal
        and the noise's scale is estimated from the residuals.
    - `num_measurements`: how many weights are not zero.
    - `has_verifier`: whether the second column was measured at all.
    """

    ts: Float[Array | np.ndarray, " times"]
    ys: Float[Array | np.ndarray, "times 2"]
    weights: Float[Array | np.ndarray, "times 2"]
    t0: Float[Array | np.ndarray, ""]
    duration: Float[Array | np.ndarray, ""]
    value_scale: Float[Array | np.ndarray, ""]
    noise_known: Bool[Array | np.ndarray, ""]
    num_measurements: Int[Array | np.ndarray, ""]
    has_verifier: bool = eqx.field(static=True)


def curves_of(trajectory: Trajectory, num_padded: int) -> tuple[Curves, list[str]]:
    """One trajectory as `Curves` of the given padded length, and what was done to its weights."""
    has_verifier = trajectory.verifier is not None
    num_rows = trajectory.num_rows
    measured = np.stack(
        [trajectory.solver, trajectory.verifier if has_verifier else np.zeros(num_rows)], -1
    )
    if trajectory.kind == "accuracy":
        measured = 1.0 - measured
    seen = measured if has_verifier else measured[:, :1]
    spread = float(np.ptp(seen, axis=0).max())
    value_scale = spread or float(np.abs(seen).max()) or 1.0
    standard_errors, remarks = _standard_errors(trajectory)
    weights = (
        np.full((num_rows, 2), 1.0 / value_scale)
        if standard_errors is None
        else 1.0 / standard_errors
    )
    if not has_verifier:
        measured[:, 1] = 0.0
        weights[:, 1] = 0.0
    padding = ((0, num_padded - num_rows), (0, 0))
    curves = Curves(
        ts=np.pad(trajectory.ts, padding[0], mode="edge"),
        ys=np.pad(measured, padding),
        weights=np.pad(weights, padding),
        t0=trajectory.ts[0],
        duration=trajectory.ts[-1] - trajectory.ts[0],
        value_scale=np.float64(value_scale),
        noise_known=np.bool_(standard_errors is not None),
        num_measurements=np.int64(num_rows * (2 if has_verifier else 1)),
        has_verifier=has_verifier,
    )
    return curves, remarks


def padded_length(num_rows: int) -> int:
    """The next of 16, 32, 64, ...: few sizes, few compilations."""
    return max(16, 1 << (num_rows - 1).bit_length())


def stack(curves: Sequence[Curves]) -> Curves:
    """Many curves of one padded length as one batch."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *curves)


def _standard_errors(trajectory: Trajectory) -> tuple[Float[np.ndarray, "T 2"] | None, list[str]]:
    """The standard errors that weight the fit, or None for equal weights, with what to say."""
    given = [trajectory.solver_se]
    values = [trajectory.solver]
    if trajectory.verifier is not None:
        given.append(trajectory.verifier_se)
        values.append(trajectory.verifier)
    if trajectory.num_items is not None and all(column is None for column in given):
        given = [_binomial(column, trajectory.num_items) for column in values]
    if all(column is None for column in given):
        return None, []
    if any(column is None for column in given):
        return None, [
            "standard errors are given for one of the two series only: the fit is unweighted"
        ]
    if any(not column.any() for column in given):
        return None, ["every standard error of a series is zero: the fit is unweighted"]
    floors = [column[column > 0].min() for column in given]
    remarks = [
        f"{int((column == 0).sum())} standard errors of the {name} are zero: raised to the "
        f"smallest other one, {floor:.3g}"
        for name, column, floor in zip(("solver", "verifier"), given, floors, strict=False)
        if (column == 0).any()
    ]
    raised = [np.maximum(column, floor) for column, floor in zip(given, floors, strict=True)]
    return np.stack([raised[0], raised[-1]], -1), remarks


def _binomial(accuracies: np.ndarray, num_items: int) -> np.ndarray:
    """The standard error of a fraction of `num_items`, kept from zero by Laplace's rule."""
    p = (accuracies * num_items + 1) / (num_items + 2)
    return np.sqrt(p * (1 - p) / num_items)
