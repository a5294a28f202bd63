"""The style of all figures: one colour per quantity, colour-blind safe, and readable.

Figures are made without pyplot, so that drawing touches no global state and needs no display.
"""

import functools
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxgap.report.plain_powers import write_powers_as_text
from jaxgap.trajectory import Trajectory

# Okabe and Ito's palette: https://jfly.uni-koeln.de/color/
SOLVER, VERIFIER, GAP = "#0072B2", "#D55E00", "#009E73"
MEASURED, MUTED = "#222222", "#777777"

# Fonts with Chinese, Japanese and Korean letters, which Matplotlib's own font lacks.
_EAST_ASIAN = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
)

# How many figure heights an unbounded band extends beyond the frame.
_FAR = 100.0
# The least range of an axis, so that no rounding error looks like data: of accuracies, and as a
# fraction of the level of uncertainties.
_LEAST_ACCURACIES = 0.02
_LEAST_OF_LEVEL = 1e-3
# How far beyond the axes an end of an interval may lie for them to make room, in their height.
_NEAR = 0.25
# The markers of bars that are cut below and above.
_CUT = ("v", "^")
# From so many measurements on, markers overlap.
_MANY = 100

_STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelcolor": MEASURED,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "font.size": 10,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # A dollar sign in the name of a run is no formula; see plain_powers.py.
    "text.parse_math": False,
    # Text stays text, and output is deterministic.
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxgap",
}


def unit_of(kind: str) -> str:
    """The unit after the name of a capability of that kind on an axis."""
    return " (nats)" if kind == "uncertainty" else " (accuracy)"


def capability_label(kind: str) -> str:
    """The axis label for capabilities of that kind."""
    return "uncertainty (nats)" if kind == "uncertainty" else "accuracy"


def label_times(ax: Axes, time_unit: str, since: str = "") -> None:
    """Label the time axis; rounds are whole."""
    ax.set_xlabel(f"time ({time_unit}s{since})")
    if time_unit == "round":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def markers(num: int) -> dict[str, Any]:
    """The look of measurements: small, translucent and below curves where there are many."""
    if num < _MANY:
        return {"markersize": 4}
    return {"markersize": 2.5, "alpha": 0.35, "markeredgewidth": 0, "zorder": 1.5}


def least_span(run: Trajectory) -> float:
    """The least range that an axis of the run's capabilities shows."""
    if run.kind == "accuracy":
        return _LEAST_ACCURACIES
    series = [run.solver] if run.verifier is None else [run.solver, run.verifier]
    return _LEAST_OF_LEVEL * float(np.abs(series).max())


def widen(ax: Axes, *, x: float = 0.0, y: float = 0.0) -> None:
    """Make the axes show at least these ranges, around what they show."""
    middle, half = ax.dataLim.get_points().mean(axis=0), np.array([x, y]) / 2
    ax.update_datalim([middle - half, middle + half])
    ax.autoscale_view()


@functools.cache
def _fonts() -> list[str]:
    """Matplotlib's own font, and those installed for letters that it lacks."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _EAST_ASIAN if name in installed)]


@contextmanager
def _in_style() -> Iterator[None]:
    style: dict[Any, Any] = {**_STYLE, "font.family": _fonts()}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # A letter that no font has is drawn as a box, which says as much.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of the given size in inches, in jaxgap's style and layout."""
    with _in_style():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element, deterministic to the byte."""
    text = _saved(figure, format="svg", metadata={"Date": None, "Creator": None}).decode()
    return text[text.index("<svg") :]


def to_png(figure: Figure, dots_per_inch: int = 150) -> bytes:
    """The figure as PNG."""
    return _saved(figure, format="png", dpi=dots_per_inch, metadata={"Software": None})


def boxed_legend(ax: Axes) -> None:
    """A legend on white within a thin border, so that its markers are not taken for data."""
    ax.legend(frameon=True, facecolor="white", framealpha=1, edgecolor="#D5D5D5", fancybox=False)


def fill_band(
    ax: Axes,
    ts: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    frame: tuple[float, float],
    colour: str,
) -> None:
    """The band of a curve. The figure makes room for it within the frame; beyond the frame it
    continues to the figure's edge, as an unbounded band must."""
    span = frame[1] - frame[0]
    furthest = frame[0] - _FAR * span, frame[1] + _FAR * span
    seen = ax.dataLim.frozen()
    ends = np.clip(lower, *furthest), np.clip(upper, *furthest)
    ax.fill_between(ts, *ends, color=colour, alpha=0.18, linewidth=0)
    ax.dataLim.set(seen)
    for end in (lower, upper):
        ax.update_datalim(np.column_stack([ts, np.clip(end, *frame)]))
    ax.autoscale_view()


class Limit(NamedTuple):
    """A limit with its interval, `None` if it has none; an end that is `None` is open."""

    estimate: float
    interval: tuple[float | None, float | None] | None
    colour: str


def mark_limits(ax: Axes, limits: Sequence[Limit]) -> None:
    """A dashed line at each limit, with its interval as a bar in the right margin.

    The bars are side by side outside the axes so that they hide no data. The axes make room for an
    end not far beyond them. If an interval is open or goes on further, its bar is clipped, with an
    arrow to show that it continues.
    """
    for limit in limits:
        line = {"color": limit.colour, "linestyle": (0, (4, 3)), "linewidth": 1.1}
        ax.axhline(limit.estimate, zorder=1, **line)
    ax.autoscale_view()  # a line in the margin would lie on the frame, unseen
    bottom, top = ax.get_ylim()
    reach = _NEAR * (top - bottom)
    ends = [end for limit in limits for end in limit.interval or () if end is not None]
    near = [end for end in ends if bottom - reach <= end <= top + reach]
    ax.update_datalim([(ax.dataLim.x0, end) for end in near])
    ax.autoscale_view()
    bottom, top = ax.get_ylim()
    for place, limit in enumerate(limits):
        if limit.interval is None:
            continue
        low, high = limit.interval
        low = bottom if low is None else max(low, bottom)
        high = top if high is None else min(high, top)
        x = 1.012 + 0.018 * place
        outside = {"color": limit.colour, "transform": ax.get_yaxis_transform(), "clip_on": False}
        bar = {"linewidth": 3, "alpha": 0.7, "solid_capstyle": "butt"}
        ax.plot([x, x], [low, high], **bar, **outside)
        for end, edge, arrow in zip((low, high), (bottom, top), _CUT, strict=True):
            if end == edge:
                ax.plot([x], [end], arrow, markersize=6, **outside)
    ax.set_ylim(bottom, top)


def has_cut_bars(figure: Figure) -> bool:
    """Whether some bar of :func:`mark_limits` has an arrow."""
    return any(line.get_marker() in _CUT for ax in figure.axes for line in ax.lines)


def described(figure: Figure) -> str:
    """What the figure shows, for those who cannot see it: the title, axes and series of its panels.

    >>> with new_figure(4, 3) as figure:
    ...     ax = figure.add_subplot()
    ...     _ = ax.plot([0, 1], label="law"), ax.set(xlabel="time", ylabel="gap")
    ...     _ = ax.set_title("A fit")
    >>> described(figure)
    'A fit: gap against time (law)'
    """
    return "; ".join(_panel(ax) for ax in figure.axes)


def _panel(ax: Axes) -> str:
    # Of panels that share their times, only the lowest has the label.
    sharing = ax.get_shared_x_axes().get_siblings(ax)
    across = next((each.get_xlabel() for each in sharing if each.get_xlabel()), "")
    title = " ".join(ax.get_title(loc="left").split())
    series = ", ".join(ax.get_legend_handles_labels()[1])
    return (
        (f"{title}: " if title else "")
        + f"{ax.get_ylabel()} against {across}"
        + (f" ({series})" if series else "")
    )


def _saved(figure: Figure, **options: Any) -> bytes:
    for ax in figure.axes:
        write_powers_as_text(ax)
    buffer = io.BytesIO()
    with _in_style():
        figure.savefig(buffer, **options)
    return buffer.getvalue()
