"""The figure of a forecast: what was known at the time, and what then happened."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import Band, FitResult
from jaxgap.report.style import SOLVER, VERIFIER, capability_label, fill_band, new_figure
from jaxgap.trajectory import Trajectory


def draw_forecast(run: Trajectory, known: FitResult) -> Figure:
    """The whole run, with the law fitted to its first rows only.

    **Arguments:**

    - `run`: all measurements.
    - `known`: a fit of `run.head(n)`.
    """
    num_known = known.num_points
    prediction = known.predict(np.linspace(run.ts[0], run.ts[-1], 96))
    with new_figure(7.2, 3.8) as figure:
        ax = figure.add_subplot()
        _draw(ax, run.ts, run.solver, prediction.ts, prediction.solver, num_known, SOLVER, "solver")
        if run.verifier is not None and prediction.verifier is not None:
            _draw(
                ax,
                run.ts,
                run.verifier,
                prediction.ts,
                prediction.verifier,
                num_known,
                VERIFIER,
                "verifier",
            )
        now = (run.ts[num_known - 1] + run.ts[num_known]) / 2
        ax.axvspan(now, run.ts[-1], color="#EDEDED", zorder=0, label="not seen by the fit")
        ax.set_xlabel(f"time ({run.time_unit}s)")
        ax.set_ylabel(capability_label(run.kind))
        ax.set_title(f"Forecast from the first {num_known} of {run.num_rows} measurements")
        # On a white background: the legend's grey patch would not be visible on the grey span.
        ax.legend(frameon=True, facecolor="white", framealpha=1, edgecolor="none")
    return figure


def _draw(
    ax: Axes,
    ts: np.ndarray,
    measured: np.ndarray,
    grid: np.ndarray,
    band: Band,
    num_known: int,
    colour: str,
    label: str,
) -> None:
    ax.plot(ts[:num_known], measured[:num_known], "o", color=colour, markersize=4, label=label)
    ax.plot(ts[num_known:], measured[num_known:], "o", color=colour, markersize=4, fillstyle="none")
    ax.plot(grid, band.estimate, color=colour, linewidth=1.4)
    spread = float(np.ptp(measured)) or 1.0
    low, high = measured.min() - spread, measured.max() + spread
    fill_band(ax, grid, band.lower, band.upper, (low, high), colour)
