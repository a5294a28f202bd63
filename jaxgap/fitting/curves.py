"""What a fit sees of a trajectory: padded arrays, weights, and the scales of the data.

Everything here is NumPy on the host. Lengths are padded to a few sizes with zero weights, so that
one compiled program serves many lengths. Accuracies become error rates, for which, as for an
uncertainty, lower is more capable.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxgap.fitting.own_terms import own_terms
from jaxgap.trajectory import Trajectory


class Curves(eqx.Module):
    """The measured curves of one run or, with a leading axis on every leaf, of many.

    - `ts`: times; the padding repeats the last.
    - `ys`: `[U_s, U_v]`, lower being more capable; zero where there is no measurement.
    - `weights`: one over the noise's scale; zero where there is no measurement.
    - `t0`, `duration`: the first time, and the time from there to the last.
    - `value_scale`: the range of the data, which makes tolerances dimensionless.
    - `noise_known`: whether the weights are one over true standard errors; if not, they are equal.
    - `num_measurements`: how many weights are nonzero.
    - `num_items`: the number of items behind each accuracy; zero if unknown.
    - `has_verifier`: whether the second column was measured at all.
    """

    ts: Float[Array, " times"]
    ys: Float[Array, "times 2"]
    weights: Float[Array, "times 2"]
    t0: Float[Array, ""]
    duration: Float[Array, ""]
    value_scale: Float[Array, ""]
    noise_known: Bool[Array, ""]
    num_measurements: Int[Array, ""]
    num_items: Float[Array, ""]
    has_verifier: bool = eqx.field(static=True)

    @property
    def stand_still(self) -> bool:
        """Whether no series of one run changes at all; on the host only."""
        measured = np.asarray(self.weights) > 0
        pairs = zip(np.asarray(self.ys).T, measured.T, strict=True)
        return not any(np.ptp(series[rows]) for series, rows in pairs if rows.any())

    @property
    def tell_no_noise(self) -> bool:
        """Whether errors are unknown and nothing scatters to tell them by; on the host only."""
        return self.stand_still and not bool(self.noise_known)


def curves_of(
    trajectory: Trajectory,
    num_padded: int,
    standard_errors: Float[np.ndarray, "T series"] | None = None,
) -> Curves:
    """One trajectory as `Curves` of the given padded length; equal weights if no errors given."""
    num_rows = trajectory.num_rows
    series = _series(trajectory)
    capabilities = np.stack(list(series.values()), -1)
    measured = own_terms(capabilities, trajectory.kind == "accuracy")
    spread = float(np.ptp(measured, axis=0).max())
    value_scale = spread or float(np.abs(measured).max()) or 1.0
    if standard_errors is None:
        weights = np.full_like(measured, 1.0 / value_scale)
    else:
        weights = 1.0 / standard_errors
    # Padding rows, and a verifier that was not measured, have zero weight.
    padding = ((0, num_padded - num_rows), (0, 2 - len(series)))
    arrays: dict[str, Any] = {
        "ts": np.pad(trajectory.ts, padding[0], mode="edge"),
        "ys": np.pad(measured, padding),
        "weights": np.pad(weights, padding),
        "t0": trajectory.ts[0],
        "duration": trajectory.ts[-1] - trajectory.ts[0],
        "value_scale": np.float64(value_scale),
        "noise_known": np.bool_(standard_errors is not None),
        "num_measurements": np.int64(measured.size),
        "num_items": np.float64(trajectory.num_items or 0),
    }
    return Curves(**arrays, has_verifier=trajectory.verifier is not None)


def padded_length(num_rows: int) -> int:
    """The next of 16, 32, 64, ...: few sizes, few compilations."""
    return max(16, 1 << (num_rows - 1).bit_length())


def stack(curves: Sequence[Curves]) -> Curves:
    """Many curves of equal padded length as one batch."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *curves)


def _series(trajectory: Trajectory) -> dict[str, Float[np.ndarray, " T"]]:
    """The measured capabilities by name."""
    if trajectory.verifier is None:
        return {"solver": trajectory.solver}
    return {"solver": trajectory.solver, "verifier": trajectory.verifier}
