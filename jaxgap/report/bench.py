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

    - `name`: in the legend; runs of one name are seeds of one setting.
    - `accuracy`: held-out accuracy at temperature 1, a value a checkpoint.
    - `flops`: operations of the whole run.
    - `gained`, `gained_se`: points of accuracy from first to last, with standard error.
    """

    name: str
    accuracy: Sequence[float]
    flops: float
    gained: float
    gained_se: float


def draw_bench(curves: Sequence[BenchCurve]) -> Figure:
    """Accuracy over the rounds, and points gained against operations.

    Where a setting has several seeds, they are faint, and their mean is drawn with the standard
    error over seeds.
    """
    settings: dict[str, list[BenchCurve]] = {}
    for curve in curves:
        settings.setdefault(curve.name, []).append(curve)
    height = max(3.6, 0.22 * len(settings) + 1.2)
    with new_figure(10.5, height) as figure:
        left, right = figure.subplots(1, 2)
        colours = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(settings)))
        markers = itertools.cycle(_MARKERS)
        for seeds, colour, marker in zip(settings.values(), colours, markers, strict=False):
            _draw(left, right, seeds, colour, marker)
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


def _draw(
    left: Axes, right: Axes, seeds: Sequence[BenchCurve], colour: np.ndarray, marker: str
) -> None:
    rounds = range(len(seeds[0].accuracy))
    gains = [seed.gained for seed in seeds]
    error = seeds[0].gained_se
    if len(seeds) > 1:
        error = float(np.std(gains, ddof=1) / np.sqrt(len(seeds)))
        for seed in seeds:
            left.plot(rounds, seed.accuracy, color=colour, linewidth=0.8, alpha=_FAINT)
            right.plot(seed.flops, seed.gained, color=colour, marker=marker, alpha=_FAINT)
    mean = np.mean([seed.accuracy for seed in seeds], axis=0)
    left.plot(rounds, mean, color=colour, marker=marker, markersize=4, label=seeds[0].name)
    right.errorbar(
        np.mean([seed.flops for seed in seeds]),
        np.mean(gains),
        yerr=2 * error,
        color=colour,
        marker=marker,
        capsize=3,
    )
