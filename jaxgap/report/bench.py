"""The picture of a bench: how accuracy went in each run, and what it cost."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.report.style import MUTED, new_figure


class BenchCurve(NamedTuple):
    """One run.

    **Fields:**

    - `name`: in the legend.
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
    """Accuracy over the rounds, and points gained against operations."""
    height = max(3.6, 0.22 * len(curves) + 1.2)
    with new_figure(10.5, height) as figure:
        left, right = figure.subplots(1, 2)
        colours = matplotlib.colormaps["viridis"]
        for index, curve in enumerate(curves):
            colour = colours(index / max(len(curves) - 1, 1) * 0.9)
            _draw(left, right, curve, colour)
        left.set_xlabel("rounds")
        left.set_ylabel("share of sampled answers that is right")
        left.set_title("Accuracy on held-out prompts")
        right.axhline(0, color=MUTED, linewidth=0.8)
        right.set_xscale("log")
        right.set_xlabel("floating-point operations")
        right.set_ylabel("points of accuracy gained, ± 2 standard errors")
        right.set_title("What it cost")
        figure.legend(loc="outside right upper")
    return figure


def _draw(left: Axes, right: Axes, curve: BenchCurve, colour: object) -> None:
    rounds = range(len(curve.accuracy))
    left.plot(rounds, curve.accuracy, color=colour, marker="o", markersize=3, label=curve.name)
    right.errorbar(
        curve.flops, curve.gained, yerr=2 * curve.gained_se, color=colour, marker="o", capsize=3
    )
