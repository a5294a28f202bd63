"""Which trajectories can be computed with: files may contain floats that arithmetic cannot take.

A record keeps whatever was measured, to the last bit. But a fit squares values over standard
errors, and a span of time of 1e-320 has no inverse. Beyond these bounds, far from anything that is
measured, results would be overflow and not numbers.
"""

import numpy as np

from jaxgap.trajectory.record import Trajectory, TrajectoryError

MAX_ROWS = 50_000
_SMALLEST, LARGEST = 1e-50, 1e50


def check_computable(run: Trajectory) -> None:
    """Refuse a trajectory whose numbers cannot be computed with.

    **Raises:** `TrajectoryError` for more than 50,000 rows, and for times, capabilities or standard
    errors that differ from zero by less than 1e-50 or more than 1e50.
    """
    if run.num_rows > MAX_ROWS:
        raise TrajectoryError(f"{run.num_rows} rows; at most {MAX_ROWS} can be fitted: thin them")
    # Of times only the span counts; its halves cannot overflow where it would.
    half_span = run.ts[-1] / 2 - run.ts[0] / 2
    if not _SMALLEST <= half_span <= LARGEST:
        raise TrajectoryError(f"times span {2 * half_span:.3g}: use another unit of time", "ts")
    for name in ("solver", "verifier", "solver_se", "verifier_se"):
        values = getattr(run, name)
        if values is None:
            continue
        sizes = np.abs(values[values != 0])
        if sizes.size and not (_SMALLEST <= sizes.max() <= LARGEST):
            raise TrajectoryError(f"is as large as {sizes.max():.3g}: use another unit", name)
        if name.endswith("_se") and sizes.size and sizes.min() < _SMALLEST:
            raise TrajectoryError(
                f"is as small as {sizes.min():.3g}: no measurement is that certain", name
            )
