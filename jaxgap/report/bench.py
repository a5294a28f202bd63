"""The picture of a bench: how accuracy went in each setting, and what it cost."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxgap.report.style import MUTED, new_figure

_MARKERS = "osD^v<>Ph*"
_FAINT = 0.35


class BenchCurve(NamedTuple):
    """One run.

    **Fields:**

    - `accuracy`: held-out accuracy at temperature 1, a value a checkpoint.
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
    - `gained_se`: the standard error of what they gained on average.
    """

    name: str
    seeds: Sequence[BenchCurve]
    gained_se: float


def draw_bench(settings: Sequence[BenchSetting]) -> Figure:
    """Accuracy over the rounds, and points gained against operations.

    Where a setting has several seeds, they are faint, and their mean is drawn with its error.
    """
    height = max(3.6, 0.22 * len(settings) + 1.2)
    with new_figure(10.5, height) as figure:
        left, right = figure.subplots(1, 2)
        colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(settings)))
        markers = itertools.cycle(_MARKERS)
        for setting, colour, marker in zip(settings, colours, markers, strict=False):
            _draw(left, right, setting, colour, marker)
        left.set_xlabel("rounds")
        left.xaxis.set_major_locator(MaxNLocator(integer=True))
        left.set_ylabel("share of sampled answers that is right")
        left.set_title("Accuracy on held-out prompts")
        right.axhline(0, color=MUTED, linewidth=0.8)
        right.set_xscale("log")
        right.tick_params(axis="x", which="minor", labelsize=7)  # they may stand close together
        right.set_xlabel("floating-point operations")
        right.set_ylabel("points gained, ± 2 standard errors")
        right.set_title("What it cost")
        figure.legend(loc="outside right upper")
    return figure


def _draw(left: Axes, right: Axes, setting: BenchSetting, colour: np.ndarray, marker: str) -> None:
    seeds = setting.seeds
    rounds = range(len(seeds[0].accuracy))
    if len(seeds) > 1:
        for seed in seeds:
            left.plot(rounds, seed.accuracy, color=colour, linewidth=0.8, alpha=_FAINT)
            right.plot(seed.flops, seed.gained, color=colour, marker=marker, alpha=_FAINT)
    mean = np.mean([seed.accuracy for seed in seeds], axis=0)
    left.plot(rounds, mean, color=colour, marker=marker, markersize=4, label=setting.name)
    right.errorbar(
        np.mean([seed.flops for seed in seeds]),
        np.mean([seed.gained for seed in seeds]),
        yerr=2 * setting.gained_se,
        color=colour,
        marker=marker,
        capsize=3,
    )
