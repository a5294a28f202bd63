"""The figure of a plan: the solver's limit under each schedule against the strength gamma.

A line ends where the model no longer holds. Below, the rounds that the best schedule uses.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxgap.fitting import FitResult
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.schedule_outcomes import unplannable
from jaxgap.report.style import (
    GAP,
    MEASURED,
    MUTED,
    SOLVER,
    VERIFIER,
    label_times,
    new_figure,
    unit_of,
    widen,
)

_MOST_TICKS = 8
_LOOKS = {
    "early": (SOLVER, "-"),
    "uniform": (GAP, "-"),
    "late": (VERIFIER, "-"),
    "given": (MUTED, "-"),
    "best": (MEASURED, (0, (2, 2))),
}


def draw_schedules(
    result: FitResult,
    strengths: Sequence[float],
    limits: Mapping[str, Float[np.ndarray, " strengths"]],
    best: DataSchedule | None,
    strength: float,
) -> Figure:
    """The solver's limit by gamma under each schedule, and the best schedule's shares.

    Both are empty if nothing can be planned from the fit.

    **Arguments:**

    - `result`: the fit that the plan is made from.
    - `strengths`: values of gamma, increasing; empty if the data do not determine the limit.
    - `limits`: by schedule name, the limit at each gamma; NaN where the model does not hold.
    - `best`: the best schedule at `strength`; `None` if none is within the model.
    - `strength`: the gamma of the plan.
    """
    with new_figure(8.4, 5.4) as figure:
        upper, lower = figure.subplots(2, 1, height_ratios=(3, 1.3))
        if unplannable(result) is not None:
            upper.set_title("Nothing can be planned from this fit")
            upper.set_axis_off()
            lower.set_axis_off()
            return figure
        if strengths:
            _draw_limits(upper, result, strengths, limits, strength)
        else:
            upper.set_axis_off()
            upper.set_title("The data do not determine the solver's limit: there is none to draw")
        if best is None:
            lower.set_axis_off()
            lower.set_title(f"No schedule stays within the model at gamma = {strength:g}")
        else:
            _draw_shares(lower, best, result.time_unit)
            alone = "" if strengths else ", for the fitted curve alone"
            lower.set_title(f"Best schedule at gamma = {strength:g}{alone}")
    return figure


def _draw_limits(ax: Axes, result: FitResult, strengths, limits, strength: float) -> None:
    for name, values in limits.items():
        colour, dashes = _LOOKS[name]
        width = 2.4 if name == "best" else 1.6
        ax.plot(strengths, values, color=colour, linestyle=dashes, linewidth=width, label=name)
    plain = result.limits["solver"].estimate
    if plain is not None:
        ax.axhline(plain, color=MUTED, linewidth=1, linestyle=":", label="no external data")
    chosen = {"color": MUTED, "linewidth": 1, "linestyle": "-.", "zorder": 1}
    ax.axvline(strength, label=f"gamma = {strength:g}", **chosen)
    ax.set_xscale("log")
    ticks = _round_ticks(min(strengths), max(strengths))
    ax.set_xticks(ticks, [f"{tick:.10g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("gamma, the strength of the external data")
    ax.set_ylabel("solver's limit" + unit_of(result.kind))
    ax.set_title("The solver's limit; a line ends where the model breaks down")
    # Beside the axes: the lines may cross anywhere.
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_shares(ax: Axes, best: DataSchedule, time_unit: str) -> None:
    several = best.times.size > 1
    step = float(np.min(np.diff(best.times))) if several else 1.0
    ax.bar(best.times, best.shares, width=0.6 * step, color=MEASURED)
    if not several:
        widen(ax, x=10 * step)  # a single bar would fill the panel
    ax.set_ylim(0, max(1.0, float(best.shares.max())) * 1.05)
    label_times(ax, time_unit)
    ax.set_ylabel("share")


def _round_ticks(low: float, high: float) -> list[float]:
    """Two to eight round numbers in a range of positive ones that is not a single point."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in (range(1, 10), (1, 2, 5), (1,)):
        numbers = (float(f"{digit}e{exponent}") for exponent in exponents for digit in digits)
        ticks = [number for number in numbers if low <= number <= high]
        if len(ticks) < 2:  # a range too narrow for a logarithmic scale to matter
            evenly = MaxNLocator(nbins=_MOST_TICKS // 2).tick_values(low, high)
            return [float(tick) for tick in evenly if low <= tick <= high]
        if len(ticks) <= _MOST_TICKS:
            return ticks
    return ticks[:: -(-len(ticks) // _MOST_TICKS)]
