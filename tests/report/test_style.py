"""The style: foreign text as it is written, and numbers as people write them."""

import re
import warnings

import numpy as np
import pytest

from jaxgap.report.bench import BenchCurve, BenchSetting, draw_bench
from jaxgap.report.style import (
    Limit,
    fill_band,
    has_cut_bars,
    mark_limits,
    new_figure,
    to_png,
    to_svg,
)


def texts(figure):
    """What stands in a figure."""
    return re.findall(r">([^<>]+)</text>", to_svg(figure))


@pytest.mark.parametrize("open_below", [False, True])
def test_a_band_without_end_leaves_the_picture_and_no_other_does(open_below):
    ts, curve = np.arange(5.0), np.linspace(2.0, 1.0, 5)
    lower = np.where(ts > 2, -np.inf if open_below else 0.9, curve - 0.1)
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot(ts, curve)
        fill_band(ax, ts, lower, curve + 0.1, (0.7, 2.3), "black")
        ends = ax.collections[0].get_paths()[0].vertices[:, 1]
        bottom, top = ax.get_ylim()
    assert (ends.min() < bottom) == open_below
    assert 0.5 < bottom < 0.9
    assert ends.max() < top


@pytest.mark.parametrize(
    ("low", "high", "arrows"),
    [(0.4, 0.6, ""), (None, 0.6, "v"), (0.4, None, "^"), (-9.0, 9.0, "v^"), (0.4, 9.0, "^")],
)
def test_bars_of_limits_stand_beside_each_other_with_arrows_where_they_are_cut(low, high, arrows):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1])
        mark_limits(ax, [Limit(0.5, (low, high), "red"), Limit(-0.5, (-0.52, -0.4), "blue")])
    bottom, top = ax.get_ylim()
    assert bottom < -0.5  # a limit beyond the measurements is seen, whichever it is
    first, second = (line for line in ax.lines if line.get_linewidth() == 3)
    assert first.get_xdata()[0] + 0.01 < second.get_xdata()[0]
    ends = (bottom if low in (None, -9.0) else low, top if high in (None, 9.0) else high)
    assert tuple(first.get_ydata()) == ends
    drawn = [(line.get_marker(), line.get_ydata()[0]) for line in ax.lines]
    found = [each for each in drawn if each[0] in ("v", "^")]
    assert found == [(arrow, {"v": bottom, "^": top}[arrow]) for arrow in arrows]


@pytest.mark.parametrize(("high", "is_cut"), [(1.2, False), (1.8, True)])
def test_the_frame_makes_room_for_the_end_of_an_interval_that_is_near(high, is_cut):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1])
        mark_limits(ax, [Limit(0.9, (-0.2, high), "red")])
    bottom, top = ax.get_ylim()
    assert bottom < -0.2
    assert (high > top) == is_cut == has_cut_bars(figure)
    assert top < 1.4


@pytest.mark.parametrize("place", [-0.04, 0.0, 0.5, 1.04])
def test_a_limit_without_an_interval_is_a_line_inside_the_frame_and_no_bar(place):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1])
        mark_limits(ax, [Limit(place, None, "red")])
    bottom, top = ax.get_ylim()
    assert bottom + 0.04 < place < top - 0.04
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


def test_a_bench_shows_names_as_they_are_and_operations_as_powers():
    settings = [
        BenchSetting("$a$", [BenchCurve([0.4, 0.5], 1e11, 10.0)], 1.0),
        BenchSetting("b", [BenchCurve([0.4, 0.6], 1e15, 20.0)], 1.0),
    ]
    found = texts(draw_bench(settings))
    assert "$a$" in found
    assert "10¹²" in found


def test_letters_that_no_font_has_are_drawn_without_a_warning():
    # U+E000 is for private use.
    with warnings.catch_warnings(), new_figure(4, 2) as figure:
        warnings.simplefilter("error")
        figure.add_subplot().set_title("run \ue000")
        assert to_png(figure).startswith(b"\x89PNG")
