"""Many runs in one figure: their curves overlaid, and beside them the limit of each.

Left, every solver's measurements with its fitted curve. Right, a line for each run with its limit
and interval in the same colour, so that the names there are the legend of the curves; below the
seeds of an experiment, the mean of their limits (diamond, with interval) and the next seed's (bar).
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from jaxgap.fitting import Estimate, FitResult
from jaxgap.fitting.pooling import Interval
from jaxgap.fitting.results.number_words import counted, percent
from jaxgap.fitting.results.objection import objection
from jaxgap.report.short_names import shortened, shortened_apart
from jaxgap.report.style import (
    MEASURED,
    MUTED,
    capability_label,
    label_times,
    least_span,
    markers,
    new_figure,
    unit_of,
    widen,
)
from jaxgap.report.words import REJECTED, REJECTED_MEANING
from jaxgap.trajectory import Trajectory

# Okabe and Ito's palette without black and yellow; more runs than this share a gradient.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_ROW = 0.21
_LONGEST_LABEL = 28
# Words need so much of the width.
_SPACE_FOR_WORDS = 0.2
# An interval's end so little beyond the frame, as a part of what that adds at a side, is shown.
_NEAR = 0.5
# Runs that begin further apart than so many times the longest are drawn from their beginnings.
_FAR = 5.0


class OverlayRun(NamedTuple):
    """A run to draw.

    - `name`, `group`: its own name, and that of its experiment if it has other seeds.
    - `run`, `result`: the measurements, and the fit.
    - `ts`, `fitted`: the fitted curve of the solver.
    """

    name: str
    group: str | None
    run: Trajectory
    result: FitResult
    ts: Float[np.ndarray, " times"]
    fitted: Float[np.ndarray, " times"]


class PooledLimit(NamedTuple):
    """The pooled limit of an experiment's seeds; `None` where they do not determine it.

    - `num_runs`: of the experiment; the law fails for `num_failed` of them, and `num_left_out` do
        not contribute.
    """

    mean: Interval | None
    next_run: Interval | None
    num_runs: int
    num_failed: int
    num_left_out: int

    @property
    def label(self) -> str:
        """How many of the experiment's runs are pooled."""
        if not self.num_left_out:
            return "pooled"
        return f"{self.num_runs - self.num_left_out} of {self.num_runs} pooled"

    @property
    def is_drawn(self) -> bool:
        """Whether there is a mean and a next seed's range to draw."""
        return self.mean is not None and self.next_run is not None

    @property
    def absence(self) -> str:
        """Why there is nothing to draw, in a few words."""
        if self.num_failed:
            return f"withheld: the law fails for {self.num_failed} of {self.num_runs}"
        return "not determined by these seeds"


def draw_overlay(runs: Sequence[OverlayRun], pooled: dict[str, PooledLimit]) -> Figure:
    """One row of axes for each kind of measurement and unit of time.

    **Arguments:**

    - `runs`: any number; those of one experiment have the same colour.
    - `pooled`: by experiment.
    """
    panels: dict[tuple[str, str], list[OverlayRun]] = {}
    for run in runs:
        panels.setdefault((run.result.kind, run.result.time_unit), []).append(run)
    colours = _colours(runs)
    heights = [max(3.6, 1.2 + _ROW * _num_lines(members)) for members in panels.values()]
    with new_figure(9.5, sum(heights)) as figure:
        axes = figure.subplots(
            len(panels), 2, squeeze=False, width_ratios=(3, 2), height_ratios=heights
        )
        for (left, right), members in zip(axes, panels.values(), strict=True):
            _draw_curves(left, members, colours)
            _draw_limits(right, members, pooled, colours)
    return figure


def _colours(runs: Sequence[OverlayRun]) -> dict[str, str]:
    """Each run's colour: one per experiment, or one per run if there is only one experiment."""
    keys = [_key(run) for run in runs]
    if len(set(keys)) == 1:
        keys = [(False, run.name) for run in runs]
    distinct = list(dict.fromkeys(keys))
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(distinct)))
    few = len(distinct) <= len(_COLOURS)
    palette = dict(zip(distinct, _COLOURS if few else map(to_hex, shades), strict=False))
    return {run.name: palette[key] for run, key in zip(runs, keys, strict=True)}


def _key(run: OverlayRun) -> tuple[bool, str]:
    """Whether it is one of several seeds, and its name: a run may be named like an experiment."""
    return (False, run.name) if run.group is None else (True, run.group)


def _num_lines(runs: Sequence[OverlayRun]) -> int:
    return len(runs) + len({run.group for run in runs if run.group is not None})


def _draw_curves(ax: Axes, runs: Sequence[OverlayRun], colours: dict[str, str]) -> None:
    faint = 0.9 if len(runs) <= 8 else 0.55
    apart = _far_apart(runs)
    for each in runs:
        colour, run = colours[each.name], each.run
        begin = run.ts[0] if apart else 0.0
        style: dict[str, Any] = {"alpha": faint, **markers(run.num_rows), "markersize": 2.5}
        ax.plot(run.ts - begin, run.solver, "o", color=colour, **style)
        ax.plot(each.ts - begin, each.fitted, color=colour, linewidth=1.1, alpha=faint)
    result = runs[0].result
    widen(ax, y=max(least_span(each.run) for each in runs))
    label_times(ax, result.time_unit, " since each run's first row" if apart else "")
    ax.set_ylabel(f"solver's {capability_label(result.kind)}")
    ax.set_title(f"{counted(len(runs), 'run')}: measured, and the {result.model} law")


def _far_apart(runs: Sequence[OverlayRun]) -> bool:
    """Whether runs are so far apart in time that on a common axis none could be seen."""
    begins = np.array([each.run.ts[0] for each in runs])
    spans = np.array([np.ptp(each.run.ts) for each in runs])
    return bool(np.ptp(begins) > _FAR * spans.max())


def _draw_limits(
    ax: Axes,
    runs: Sequence[OverlayRun],
    pooled: dict[str, PooledLimit],
    colours: dict[str, str],
) -> None:
    """A line for each run from the top, grouped by experiment."""
    keys = [_key(run) for run in runs]
    ordered = sorted(runs, key=lambda run: keys.index(_key(run)))
    groups = {run.group for run in runs}
    own = {group: limit for group, limit in pooled.items() if group in groups}
    ax.set_xlim(*_frame(ordered, own))
    labels = []
    short_of = _short_names(ordered)
    for key, grouped in itertools.groupby(ordered, _key):
        members = list(grouped)
        for each in members:
            _draw_limit(ax, len(labels), each.result.limits["solver"], colours[each.name])
            labels.append(short_of[each.name] + (f" {REJECTED}" if objection(each.result) else ""))
        is_group, name = key
        if is_group and name in own:
            _draw_pooled(ax, len(labels), own[name], colours[members[-1].name])
            labels.append(f"{shortened(name, 16)}, {own[name].label}")
    size = 8.5 if len(labels) <= 20 else 7
    ax.set_yticks(range(len(labels)), labels=labels, fontsize=size)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    level = runs[0].result.level
    kinds = {each.run.kind for each in runs}
    unit = unit_of(*kinds) if len(kinds) == 1 else ""
    ax.set_xlabel(f"solver's limit{unit}, {percent(level)} interval")
    is_pooled = any(limit.is_drawn for limit in own.values())
    title = "Limits; ◆ mean, bar: next seed" if is_pooled else "Limits"
    if any(objection(each.result) for each in runs):
        title += f"\n{REJECTED} {REJECTED_MEANING}"
    if any(line.get_marker() in ("<", ">") for line in ax.lines):
        title += "\n◂ ▸ beyond the frame, or open"
    ax.set_title(title)


def _short_names(runs: Sequence[OverlayRun]) -> dict[str, str]:
    names = [run.name for run in runs]
    return dict(zip(names, shortened_apart(names, _LONGEST_LABEL), strict=True))


def _frame(runs: Sequence[OverlayRun], pooled: dict[str, PooledLimit]) -> tuple[float, float]:
    """A range with the last measurements, the limits near them and their intervals if not too wide.

    An outlying limit would squeeze everything else to nothing.
    """
    limits = [run.result.limits["solver"] for run in runs]
    last = [float(run.run.solver[-1]) for run in runs]
    core = np.array(last + [each.estimate for each in limits if each.estimate is not None])
    low, high = np.quantile(core, [0.1, 0.9])
    near = core[(core >= low - 2 * (high - low)) & (core <= high + 2 * (high - low))]
    low, high = float(near.min()), float(near.max())
    both = [each.interval for each in limits if each.interval and None not in each.interval]
    widths = [np.ptp(np.array(ends, float)) for ends in both]
    # Limits that agree may lie closer together than their intervals are wide.
    typical = 1.5 * float(np.median(widths)) if widths else 0.0
    reach = max(0.5 * (high - low), typical) or 0.1 * abs(high) or 0.1
    ends = [end for each in limits for end in each.interval or () if end is not None]
    for each in pooled.values():
        if each.next_run is not None:
            ends += [each.next_run.low, each.next_run.high]
    wanted = np.array([low, high, *ends])
    clipped = np.clip(wanted, low - reach, high + reach)
    reached = np.where(np.abs(wanted - clipped) <= _NEAR * reach, wanted, clipped)
    least = max(least_span(run.run) for run in runs)
    margin = max(0.03 * float(np.ptp(reached)), (least - float(np.ptp(reached))) / 2)
    return float(reached.min()) - margin, float(reached.max()) + margin


def _draw_limit(ax: Axes, row: int, limit: Estimate, colour: str) -> None:
    low, high = limit.interval or (None, None)
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    if limit.estimate is None:
        _draw_withheld(ax, row, ends, colour)
        return
    if limit.interval is not None:
        _draw_range(ax, row, ends, colour, linewidth=1.6)
    _draw_point(ax, row, limit.estimate, "o", colour, markersize=4)


def _draw_withheld(ax: Axes, row: int, ends: tuple[float, float], colour: str) -> None:
    """A faint bar for an interval; for a bound on one side an arrow from there to the other."""
    left, right = ax.get_xlim()
    places = [(end - left) / (right - left) for end in ends]
    if all(map(math.isfinite, ends)):
        _draw_range(ax, row, ends, colour, linewidth=1.6, alpha=0.5)
        first, last = (min(max(place, 0.0), 1.0) for place in places)
        _say(ax, row, "withheld", [(0.0, first), (last, 1.0)])
        return
    for end, arrow in zip(ends, "><", strict=True):
        if left <= end <= right:
            ax.plot([end], [row], arrow, color=colour, markersize=5)
    inside = [place for place in places if 0 <= place <= 1]
    _say(ax, row, "withheld", itertools.pairwise([0.0, *inside, 1.0]))


def _draw_range(
    ax: Axes,
    row: int,
    ends: tuple[float, float],
    colour: str,
    *,
    linewidth: float,
    alpha: float = 1.0,
) -> None:
    """A bar clipped to the frame, with an arrow where it continues beyond it or has no end."""
    edges = ax.get_xlim()
    shown = max(ends[0], edges[0]), min(ends[1], edges[1])
    bar = {"linewidth": linewidth, "alpha": alpha, "solid_capstyle": "butt"}
    ax.plot(shown, [row, row], color=colour, **bar)
    for end, edge, arrow in zip(shown, edges, "<>", strict=True):
        if end == edge:
            ax.plot([end], [row], arrow, color=colour, markersize=5, clip_on=False)


def _draw_point(
    ax: Axes, row: int, value: float, marker: str, colour: str, *, markersize: float
) -> None:
    """A point, or an arrow at the side of the frame that it lies beyond."""
    left, right = ax.get_xlim()
    outside = "<" if value < left else ">" if value > right else None
    shown = min(max(value, left), right)
    ax.plot(
        [shown],
        [row],
        outside or marker,
        color=colour,
        markersize=markersize,
        clip_on=outside is None,
    )


def _draw_pooled(ax: Axes, row: int, limit: PooledLimit, colour: str) -> None:
    if limit.mean is None or limit.next_run is None:
        _say(ax, row, limit.absence)
        return
    next_run, mean = limit.next_run, limit.mean
    _draw_range(ax, row, (next_run.low, next_run.high), colour, linewidth=7, alpha=0.25)
    _draw_range(ax, row, (mean.low, mean.high), MEASURED, linewidth=1.6)
    _draw_point(ax, row, mean.estimate, "D", MEASURED, markersize=4.5)


def _say(
    ax: Axes, row: int, words: str, spaces: Iterable[tuple[float, float]] = ((0.0, 1.0),)
) -> None:
    """Words in the middle of the widest of these spaces, which are fractions of the width.

    If all of them are too narrow, they are written over what is drawn.
    """
    left, right = max(spaces, key=lambda space: space[1] - space[0])
    if right - left < _SPACE_FOR_WORDS:
        left, right = 0.0, 1.0
    ax.text(
        (left + right) / 2,
        row,
        words,
        color=MUTED,
        fontsize=7.5,
        ha="center",
        va="center",
        transform=ax.get_yaxis_transform(),
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
