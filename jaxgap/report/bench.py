"""The figure of a bench: accuracy over the rounds in each setting, and its cost."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxgap.report.short_names import shortened
from jaxgap.report.style import MUTED, new_figure

_MARKERS = "osD^v<>Ph*"
_FAINT = 0.35
_WIDTH = 10.5
# Sizes in the legend in inches: a letter's width, a line's height, and the marker beside a name.
_LETTER, _LINE, _HANDLE = 0.062, 0.17, 0.5
_LONGEST_NAME = 120
# The smallest distance of two settings as a part of the axis, the axis' smallest range as a factor,
# and the factor beyond the data.
_APART = 0.02
_LEAST_FACTOR = 2.0
_MARGIN = 1.1


class BenchCurve(NamedTuple):
    """One run.

    **Fields:**

    - `accuracy`: held-out accuracy at temperature 1, one value per checkpoint.
    - `flops`: operations of the whole run.
    - `gained`: points of accuracy from first to last.
    """

    accuracy: Sequence[float]
    flops: float
    gained: float


class BenchSetting(NamedTuple):
    """One setting.

    **Fields:**

    - `name`: in the legend.
    - `seeds`: its runs, one or more.
    - `gained_reach`: half the 95 % interval of their mean gain.
    """

    name: str
    seeds: Sequence[BenchCurve]
    gained_reach: float


def draw_bench(settings: Sequence[BenchSetting]) -> Figure:
    """Accuracy over the rounds, and points gained against operations.

    Several seeds of a setting are drawn faintly, together with their mean and its interval.
    """
    names = [shortened(setting.name, _LONGEST_NAME) for setting in settings]
    num_columns = max(1, int(_WIDTH / (_LETTER * max(map(len, names)) + _HANDLE)))
    num_lines = -(-len(names) // num_columns)
    costs = np.array([np.mean([seed.flops for seed in each.seeds]) for each in settings])
    moves = _apart(costs) / costs
    flops = [
        move * seed.flops for each, move in zip(settings, moves, strict=True) for seed in each.seeds
    ]
    with new_figure(_WIDTH, 3.7 + _LINE * num_lines) as figure:
        left, right = figure.subplots(1, 2)
        colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(settings)))
        markers = itertools.cycle(_MARKERS)
        for setting, name, colour, marker, move in zip(
            settings, names, colours, markers, moves, strict=False
        ):
            _draw_rounds(left, setting, name, colour, marker)
            _draw_cost(right, setting, colour, marker, float(move))
        left.set_xlabel("rounds")
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.set_ylabel("fraction of sampled answers correct")
        left.set_title("Accuracy on held-out prompts")
        right.axhline(0, color=MUTED, linewidth=0.8)
        _set_cost_axis(right, flops, apart=not np.allclose(moves, 1.0))
        right.set_ylabel("points gained, 95% interval")
        right.set_title("What it cost")
        figure.legend(loc="outside lower left", ncols=num_columns, fontsize=7.5)
    return figure


def _apart(costs: np.ndarray) -> np.ndarray:
    """The costs, with nearly equal ones moved apart a little so that none covers another.

    Each is the mean of two placements: pushed right by those on its left, and pushed left by those
    on its right.
    """
    order = np.argsort(costs, kind="stable")
    logs = np.log(costs[order])
    step = _APART * max(float(np.ptp(logs)), np.log(_LEAST_FACTOR))
    steps = step * np.arange(len(logs))
    to_right = np.maximum.accumulate(logs - steps) + steps
    to_left = np.minimum.accumulate((logs - steps)[::-1])[::-1] + steps
    shown = np.empty_like(costs)
    shown[order] = np.exp((to_right + to_left) / 2)
    return shown


def _set_cost_axis(ax: Axes, flops: Sequence[float], apart: bool) -> None:
    """A logarithmic axis over the data, wide enough that a small difference looks small."""
    low, high = min(flops), max(flops)
    wider = _MARGIN * max(1.0, (_LEAST_FACTOR * low / high) ** 0.5)
    ax.set_xlim(low / wider, high * wider)
    ax.set_xscale("log")
    ax.tick_params(axis="x", which="minor", labelsize=7)  # they may stand close together
    ax.set_xlabel("floating-point operations" + (", equal values slightly offset" * apart))


def _draw_rounds(
    ax: Axes, setting: BenchSetting, name: str, colour: np.ndarray, marker: str
) -> None:
    seeds = setting.seeds
    rounds = range(len(seeds[0].accuracy))
    if len(seeds) > 1:
        for seed in seeds:
            ax.plot(rounds, seed.accuracy, color=colour, linewidth=0.8, alpha=_FAINT)
    mean = np.mean([seed.accuracy for seed in seeds], axis=0)
    ax.plot(rounds, mean, color=colour, marker=marker, markersize=4, label=name)


def _draw_cost(
    ax: Axes, setting: BenchSetting, colour: np.ndarray, marker: str, move: float
) -> None:
    """Points against operations times `move`."""
    seeds = setting.seeds
    if len(seeds) > 1:
        for seed in seeds:
            ax.plot(move * seed.flops, seed.gained, color=colour, marker=marker, alpha=_FAINT)
    ax.errorbar(
        move * np.mean([seed.flops for seed in seeds]),
        np.mean([seed.gained for seed in seeds]),
        yerr=setting.gained_reach,
        color=colour,
        marker=marker,
        capsize=3,
    )
