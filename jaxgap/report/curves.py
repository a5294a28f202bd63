"""The figure of a fit: the measurements, the law's curves, and their limits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import Band, Estimate, FitResult, Prediction
from jaxgap.fitting.results.fit_report import percent
from jaxgap.fitting.results.objection import objection, refutations
from jaxgap.fitting.selection import AveragedResult
from jaxgap.report.style import (
    GAP,
    SOLVER,
    VERIFIER,
    Limit,
    capability_label,
    fill_band,
    mark_limits,
    new_figure,
    unit_of,
)
from jaxgap.trajectory import Trajectory

# How far past the last measurement the curves are drawn, as a fraction of the time measured.
_BEYOND = 0.35
_NUM_TIMES = 96


def draw_curves(run: Trajectory, result: FitResult | AveragedResult) -> Figure:
    """Measurements, fitted curves with their bands, and the limits with their intervals.

    If the run is already beyond a limit, the curves end with the run: extended, they would show a
    limit.
    """
    beyond = 0.0 if refutations(result.limits) else _BEYOND * (run.ts[-1] - run.ts[0])
    ts = np.linspace(run.ts[0], run.ts[-1] + beyond, _NUM_TIMES)
    prediction = result.predict(ts)
    if run.gap is None:
        with new_figure(7.2, 4.0) as figure:
            _draw_capabilities(figure.add_subplot(), run, result, prediction)
        return figure
    with new_figure(7.2, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_capabilities(upper, run, result, prediction)
        upper.set_xlabel("")
        _draw_series(lower, run.ts, run.gap, None, prediction, prediction.gap, GAP, "gap")
        _draw_limits(lower, result, gap=GAP)
        lower.set_ylabel("gap" + unit_of(run.kind))
        lower.set_xlabel(f"time ({run.time_unit}s)")
    return figure


def _draw_capabilities(
    ax: Axes, run: Trajectory, result: FitResult | AveragedResult, prediction: Prediction
) -> None:
    _draw_series(
        ax, run.ts, run.solver, run.solver_se, prediction, prediction.solver, SOLVER, "solver"
    )
    if run.verifier is not None:
        _draw_series(
            ax,
            run.ts,
            run.verifier,
            run.verifier_se,
            prediction,
            prediction.verifier,
            VERIFIER,
            "verifier",
        )
    _draw_limits(ax, result, solver=SOLVER, verifier=VERIFIER)
    ax.axvline(run.ts[-1], color="#BBBBBB", linewidth=0.8, zorder=0)
    ax.set_xlabel(f"time ({run.time_unit}s)")
    ax.set_ylabel(capability_label(run.kind))
    ax.set_title(_title(result))
    ax.legend(loc="best")


def _draw_series(
    ax: Axes,
    ts: np.ndarray,
    measured: np.ndarray,
    errors: np.ndarray | None,
    prediction: Prediction,
    band: Band | None,
    colour: str,
    label: str,
) -> None:
    ax.errorbar(
        ts,
        measured,
        yerr=errors,
        fmt="o",
        color=colour,
        markersize=4,
        elinewidth=1,
        label=label,
        zorder=3,
    )
    if band is None:
        return
    ax.plot(prediction.ts, band.estimate, color=colour, linewidth=1.4, zorder=2)
    # The frame fits the measurements and the curve; an unbounded band extends beyond it.
    low, high = _frame(measured, band.estimate)
    fill_band(ax, prediction.ts, band.lower, band.upper, (low, high), colour)


def _frame(measured: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    """The range of the data and the curve, extended by a third of it on either side."""
    values = np.concatenate([measured, curve])
    low, high = float(values.min()), float(values.max())
    return low - (high - low) / 3, high + (high - low) / 3


def limits_drawn(result: FitResult | AveragedResult) -> dict[str, Estimate]:
    """The limits that the data determine, by name; none if the run refutes one of the same law."""
    if refutations(result.limits):
        return {}
    return {name: limit for name, limit in result.limits.items() if limit.estimate is not None}


def _draw_limits(ax: Axes, result: FitResult | AveragedResult, **colours: str) -> None:
    limits = []
    for name, limit in limits_drawn(result).items():
        if name in colours and limit.estimate is not None:
            low, high = limit.interval or (None, None)
            limits.append(Limit(limit.estimate, low, high, colours[name]))
    mark_limits(ax, limits)


def _title(result: FitResult | AveragedResult) -> str:
    """What is drawn and what speaks against it, since a figure may be seen without the report."""
    averaged = isinstance(result, AveragedResult)
    laws = f"Average over {len(result.laws)} laws" if averaged else f"Fit of the {result.model} law"
    shown = f"{percent(result.level)} bands"
    if limits_drawn(result):
        shown += "; dashed: limits"
    if not averaged and not result.converged:
        return f"{laws}, which did not converge\n{shown}"
    if objection(result) is None:
        return f"{laws}; {shown}"
    return f"{laws}, which {'do' if averaged else 'does'} not describe this run\n{shown}"
