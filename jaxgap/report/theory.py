"""Two plots that test the theory without trusting the fit.

The gap against its own rate of change shows f(G) itself: a straight line for the paper's linear
potential. Verifier against solver shows the coupling: for any f, the theory predicts a straight
line of slope r = beta / alpha.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import FitResult
from jaxgap.report.style import GAP, MEASURED, MUTED, new_figure, unit_of
from jaxgap.trajectory import Trajectory


def draw_theory(run: Trajectory, result: FitResult) -> Figure:
    """The gap against its rate of change, and verifier against solver, with the law's curves.

    **Raises:** `ValueError` for a run without a verifier, which has neither.
    """
    if run.gap is None or run.verifier is None:
        raise ValueError("run must have a verifier series to draw the gap")
    prediction = result.predict(np.linspace(run.ts[0], run.ts[-1], 200))
    if prediction.gap is None or prediction.verifier is None:
        raise ValueError("result must come from a fit with a verifier")
    with new_figure(7.2, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        _draw_potential(left, run, prediction.ts, prediction.gap.estimate)
        right.plot(run.solver, run.verifier, "o", color=MEASURED, markersize=4, label="measured")
        right.plot(
            prediction.solver.estimate, prediction.verifier.estimate, color=MUTED, label="law"
        )
        right.set_xlabel("solver" + unit_of(run.kind))
        right.set_ylabel("verifier" + unit_of(run.kind))
        right.set_title("Verifier against solver")
        right.legend()
    return figure


def _draw_potential(ax: Axes, run: Trajectory, ts: np.ndarray, fitted: np.ndarray) -> None:
    gap = np.asarray(run.gap)
    middle = (gap[1:] + gap[:-1]) / 2
    speed = -np.diff(gap) / np.diff(run.ts)
    ax.plot(middle, speed, "o", color=GAP, markersize=4, label="measured")
    # Central differences exist only at inner points.
    ax.plot(fitted[1:-1], -np.gradient(fitted, ts)[1:-1], color=MUTED, label="law")
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set_xlabel("gap" + unit_of(run.kind))
    unit = "nats" if run.kind == "uncertainty" else "accuracy"
    ax.set_ylabel(f"rate of closing ({unit} per {run.time_unit})")
    ax.set_title("Gap against its rate of change")
    ax.legend()
