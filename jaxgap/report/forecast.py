"""The figure of a forecast: what was known at the time, and what then happened."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import FitResult, Prediction
from jaxgap.report.style import (
    SOLVER,
    VERIFIER,
    boxed_legend,
    capability_label,
    fill_band,
    label_times,
    least_span,
    markers,
    new_figure,
    widen,
)
from jaxgap.report.times import curve_times
from jaxgap.trajectory import Trajectory


def draw_forecast(run: Trajectory, known: FitResult) -> Figure:
    """The whole run, with the law fitted to its first rows only.

    **Arguments:**

    - `run`: all measurements.
    - `known`: a fit of `run.head(n)`.
    """
    num_known = known.num_points
    prediction = known.predict(curve_times(run.ts))
    with new_figure(7.2, 3.8) as figure:
        ax = figure.add_subplot()
        _draw(ax, run, "solver", prediction, num_known, SOLVER)
        if run.verifier is not None and prediction.verifier is not None:
            _draw(ax, run, "verifier", prediction, num_known, VERIFIER)
        now = (run.ts[num_known - 1] + run.ts[num_known]) / 2
        ax.axvspan(now, run.ts[-1], color="#EDEDED", zorder=0, label="not seen by the fit")
        label_times(ax, run.time_unit)
        ax.set_ylabel(capability_label(run.kind))
        ax.set_title(f"Forecast from the first {num_known} of {run.num_rows} measurements")
        boxed_legend(ax)
    return figure


def _draw(
    ax: Axes, run: Trajectory, name: str, prediction: Prediction, num_known: int, colour: str
) -> None:
    measured, band = np.asarray(getattr(run, name)), getattr(prediction, name)
    style = {"color": colour, **markers(run.num_rows)}
    ax.plot(run.ts[:num_known], measured[:num_known], "o", label=name, **style)
    open_style = style | {"fillstyle": "none", "markeredgewidth": 1}
    ax.plot(run.ts[num_known:], measured[num_known:], "o", **open_style)
    ax.plot(prediction.ts, band.estimate, color=colour, linewidth=1.4)
    spread = max(float(np.ptp(measured)), least_span(run))
    frame = float(measured.min()) - spread, float(measured.max()) + spread
    fill_band(ax, prediction.ts, band.lower, band.upper, frame, colour)
    widen(ax, y=least_span(run))
