"""Convert a run's measurements to a Trajectory for fits and reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.trajectory import Trajectory


def to_trajectory(
    metrics: Sequence[RoundMetrics], provenance: dict[str, Any] | None = None
) -> Trajectory:
    """The measurements of at least three checkpoints as a Trajectory with time in rounds.

    **Arguments:**

    - `metrics`: the measurements, in order of rounds.
    - `provenance`: what to record besides the program's name, such as the run's configuration.

    **Returns:** the trajectory: uncertainties in nats with their standard errors, and everything
    else that was measured at all checkpoints as extra columns.

    **Raises:** `TrajectoryError` if there are fewer than three checkpoints.
    """
    rows = [checkpoint.row() for checkpoint in metrics]
    # The first checkpoint has no training summary, and errors over a single prompt are unknown.
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: [row[name] for row in rows] for name in names}
    return Trajectory(
        ts=columns.pop("t"),
        solver=columns.pop("solver"),
        verifier=columns.pop("verifier"),
        solver_se=columns.pop("solver_se", None),
        verifier_se=columns.pop("verifier_se", None),
        extra=columns,
        time_unit="round",
        provenance={"program": "jaxgap improve"} | (provenance or {}),
    )
