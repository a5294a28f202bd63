"""The style of all figures: one colour per quantity, colour-blind safe, and readable.

Figures are made without pyplot, so that drawing touches no global state and needs no display.
"""

import functools
import io
import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import strip_math
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, LogFormatterMathtext, MaxNLocator

from jaxgap.trajectory import Trajectory

# Okabe and Ito's palette: https://jfly.uni-koeln.de/color/
SOLVER, VERIFIER, GAP = "#0072B2", "#D55E00", "#009E73"
MEASURED, MUTED = "#222222", "#777777"

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

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
    # A dollar sign in the name of a run is no formula; see _PlainPowers.
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


def label_times(ax: Axes, time_unit: str) -> None:
    """Label the time axis; rounds are whole."""
    ax.set_xlabel(f"time ({time_unit}s)")
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


def shortened(name: str, most: int) -> str:
    """A name shortened to its two ends if it is longer than `most`.

    >>> shortened("a-very-long-name", 10)
    'a-ver…name'
    """
    half = most // 2
    return name if len(name) <= most else f"{name[:half]}…{name[half + 1 - most :]}"


def shortened_apart(names: Sequence[str], most: int) -> list[str]:
    """Names shortened to at most `most` characters, such that different names stay different.

    Common prefixes and suffixes are removed first; names that are still ambiguous keep the part in
    which they differ, and if that is not enough they are numbered.

    >>> shortened_apart(["published_a_long_name_solver", "published_b_solver"], 12)
    ['a_long_name', 'b']
    >>> shortened_apart(["short_solver", "brief_solver"], 12)
    ['short_solver', 'brief_solver']
    """
    if all(len(name) <= most for name in names):
        return list(names)
    parts = [re.findall(r"[^\W_]+|[\W_]+", name) for name in names]
    if len(set(names)) > 1:
        before, after = _num_shared(parts), _num_shared([part[::-1] for part in parts])
        parts = [part[before : len(part) - after] or part for part in parts]
    stripped = ["".join(part).strip(" _-:") for part in parts]
    stripped = [short or name for short, name in zip(stripped, names, strict=True)]
    if len(set(stripped)) < len(set(names)):
        stripped = list(names)
    label_of = {name: _shortened_beside(name, stripped, most) for name in dict.fromkeys(stripped)}
    taken: dict[str, list[str]] = {}
    for name, label in label_of.items():
        taken.setdefault(label, []).append(name)
    for label, alike in taken.items():
        for number, name in enumerate(alike, 1):
            if len(alike) > 1:
                label_of[name] = f"{shortened(label, most - 4)} ({number})"
    return [label_of[name] for name in stripped]


def _num_shared(parts: Sequence[Sequence[str]]) -> int:
    """The length of the common prefix in parts (or letters); less than that of any sequence."""
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    return min(sum(1 for _ in shared), min(map(len, parts)) - 1)


def _shortened_beside(name: str, names: Sequence[str], most: int) -> str:
    """A name shortened so that it differs from names with the same plain shortening."""
    short = shortened(name, most)
    alike = [other for other in names if other != name and shortened(other, most) == short]
    if not alike:
        return short
    # The first letter in which it differs from one of them is near the middle of the kept part.
    differs = min(_num_shared([name, other]) for other in alike)
    head, tail = most // 4, most // 4
    kept = most - head - tail - 2
    start = min(max(head, differs - kept // 4), len(name) - tail - kept)
    return f"{name[:head]}…{name[start : start + kept]}…{name[-tail:]}"


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

    The bars are side by side outside the axes so that they hide no data. If an interval is open or
    exceeds the axes, its bar is clipped, with an arrow to show that it continues.
    """
    for limit in limits:
        line = {"color": limit.colour, "linestyle": (0, (4, 3)), "linewidth": 1.1}
        ax.axhline(limit.estimate, zorder=1, **line)
    ax.autoscale_view()  # a line in the margin would lie on the frame, unseen
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
        for end, edge, arrow in ((low, bottom, "v"), (high, top, "^")):
            if end == edge:
                ax.plot([x], [end], arrow, markersize=6, **outside)
    ax.set_ylim(bottom, top)


class _PlainPowers(Formatter):
    """The tick labels of a logarithmic axis as text, 10⁵ and 2×10⁵, not as mathtext."""

    def __init__(self, formulas: LogFormatterMathtext):
        self._formulas = formulas

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = strip_math(self._formulas(x, pos)).replace("x", "×")
        number, _, exponent = text.partition("^")
        return number + exponent.translate(_RAISED)

    def set_locs(self, locs: Any) -> None:
        # The range of the axis determines which numbers between the powers are shown.
        self._formulas.set_locs(locs)


def _saved(figure: Figure, **options: Any) -> bytes:
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            _spell_powers(axis)
    buffer = io.BytesIO()
    with _in_style():
        figure.savefig(buffer, **options)
    return buffer.getvalue()


def _spell_powers(axis: Axis) -> None:
    major, minor = axis.get_major_formatter(), axis.get_minor_formatter()
    if isinstance(major, LogFormatterMathtext):
        axis.set_major_formatter(_PlainPowers(major))
    if isinstance(minor, LogFormatterMathtext):
        axis.set_minor_formatter(_PlainPowers(minor))
