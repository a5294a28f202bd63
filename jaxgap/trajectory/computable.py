"""Which trajectories can be computed with: files may contain floats that overflow in arithmetic.

A record keeps whatever was measured, to the last bit. But a fit squares values divided by standard
errors, and a time span of 1e-320 has no finite inverse. Beyond these bounds, which are far from
anything that is measured, computations would overflow.
"""

import numpy as np

from jaxgap.trajectory.record import CAPABILITIES, Trajectory, TrajectoryError

MAX_ROWS = 50_000
_SMALLEST, LARGEST = 1e-50, 1e50


def check_computable(run: Trajectory) -> None:
    """Refuse a trajectory whose numbers cannot be computed with.

    **Raises:** `TrajectoryError` for more than 50,000 rows, and for times, capabilities or standard
    errors that are nonzero but below 1e-50, or above 1e50, in magnitude.
    """
    if run.num_rows > MAX_ROWS:
        raise TrajectoryError(f"{run.num_rows} rows; at most {MAX_ROWS} can be fitted: thin them")
    # Only the span of times matters; it is halved since the full difference might overflow.
    half_span = float(run.ts[-1] / 2 - run.ts[0] / 2)
    if not _SMALLEST <= half_span <= LARGEST:
        raise TrajectoryError(f"times span {2 * half_span:.3g}: use another unit of time", "ts")
    for name in CAPABILITIES:
        values = getattr(run, name)
        if values is None:
            continue
        sizes = np.abs(values[values != 0])
        if sizes.size and not (_SMALLEST <= sizes.max() <= LARGEST):
            raise TrajectoryError(
                f"has a largest magnitude of {sizes.max():.3g}: use another unit", name
            )
        if name.endswith("_se") and sizes.size and sizes.min() < _SMALLEST:
            raise TrajectoryError(
                f"is as small as {sizes.min():.3g}: no measurement is that certain", name
            )
