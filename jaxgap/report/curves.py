"""The figure of a fit: the measurements, the law's curves, and their limits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import Band, Estimate, FitResult, Prediction
from jaxgap.fitting.results.number_words import percent
from jaxgap.fitting.results.objection import objection, refutations
from jaxgap.fitting.selection import AveragedResult
from jaxgap.report.style import (
    GAP,
    SOLVER,
    VERIFIER,
    Limit,
    boxed_legend,
    capability_label,
    fill_band,
    label_times,
    least_span,
    mark_limits,
    markers,
    new_figure,
    unit_of,
    widen,
)
from jaxgap.report.times import curve_times
from jaxgap.trajectory import Trajectory

# How far past the last measurement the curves are drawn, as a fraction of the time measured.
_BEYOND = 0.35


def draw_curves(run: Trajectory, result: FitResult | AveragedResult) -> Figure:
    """Measurements, fitted curves with their bands, and the limits with their intervals.

    If the run is already beyond a limit, the curves end with the run: extended, they would show a
    limit.
    """
    beyond = 0.0 if refutations(result.limits) else _BEYOND * (run.ts[-1] - run.ts[0])
    prediction = result.predict(curve_times(run.ts, run.ts[-1] + beyond))
    if run.gap is None:
        with new_figure(7.2, 4.0) as figure:
            _draw_capabilities(figure.add_subplot(), run, result, prediction)
        return figure
    with new_figure(7.2, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        _draw_capabilities(upper, run, result, prediction)
        upper.set_xlabel("")
        _draw_series(lower, run, "gap", prediction, GAP)
        _draw_limits(lower, result, gap=GAP)
        lower.set_ylabel("gap" + unit_of(run.kind))
        label_times(lower, run.time_unit)
    return figure


def _draw_capabilities(
    ax: Axes, run: Trajectory, result: FitResult | AveragedResult, prediction: Prediction
) -> None:
    _draw_series(ax, run, "solver", prediction, SOLVER)
    if run.verifier is not None:
        _draw_series(ax, run, "verifier", prediction, VERIFIER)
    _draw_limits(ax, result, solver=SOLVER, verifier=VERIFIER)
    ax.axvline(run.ts[-1], color="#BBBBBB", linewidth=0.8, zorder=0)
    label_times(ax, run.time_unit)
    ax.set_ylabel(capability_label(run.kind))
    ax.set_title(_title(result))
    boxed_legend(ax)


def _draw_series(ax: Axes, run: Trajectory, name: str, prediction: Prediction, colour: str) -> None:
    """Measurements with their standard errors, and their curve with its band."""
    measured = np.asarray(getattr(run, name))
    errors = run.extra.get("gap_se") if name == "gap" else getattr(run, f"{name}_se")
    ax.errorbar(
        run.ts,
        measured,
        yerr=errors,
        fmt="o",
        color=colour,
        elinewidth=1,
        label=name,
        **{"zorder": 3, **markers(run.num_rows)},
    )
    band: Band | None = getattr(prediction, name)
    if band is not None:
        ax.plot(prediction.ts, band.estimate, color=colour, linewidth=1.4, zorder=2)
        frame = _frame(measured, band.estimate, least_span(run))
        # The frame fits the measurements and the curve; an unbounded band extends beyond it.
        fill_band(ax, prediction.ts, band.lower, band.upper, frame, colour)
    widen(ax, y=least_span(run))


def _frame(measured: np.ndarray, curve: np.ndarray, least: float) -> tuple[float, float]:
    """The range of the data and the curve, at least `least`, and a third of it on either side."""
    values = np.concatenate([measured, curve])
    low, high = float(values.min()), float(values.max())
    middle, reach = (low + high) / 2, 5 / 6 * max(high - low, least)
    return middle - reach, middle + reach


def limits_drawn(result: FitResult | AveragedResult) -> dict[str, Estimate]:
    """The limits that the data determine, by name; none if the run refutes one of the same law."""
    if refutations(result.limits):
        return {}
    return {name: limit for name, limit in result.limits.items() if limit.estimate is not None}


def _draw_limits(ax: Axes, result: FitResult | AveragedResult, **colours: str) -> None:
    limits = []
    for name, limit in limits_drawn(result).items():
        if name in colours and limit.estimate is not None:
            limits.append(Limit(limit.estimate, limit.interval, colours[name]))
    mark_limits(ax, limits)


def _title(result: FitResult | AveragedResult) -> str:
    """What is drawn and what speaks against it, since a figure may be seen without the report."""
    averaged = isinstance(result, AveragedResult)
    laws = f"Average over {len(result.laws)} laws" if averaged else f"Fit of the {result.model} law"
    shown = f"{percent(result.level)} bands"
    if limits_drawn(result):
        shown += "; dashed: limits"
    if result.failure is not None:
        return f"{laws}, which did not converge\n{shown}"
    if objection(result) is None:
        return f"{laws}; {shown}"
    return f"{laws}, which {'do' if averaged else 'does'} not describe this run\n{shown}"
