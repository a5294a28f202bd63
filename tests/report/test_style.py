"""The style: foreign text as it is written, and numbers as people write them."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.report.bench import BenchCurve, BenchSetting, draw_bench
from jaxgap.report.style import (
    Limit,
    fill_band,
    mark_limits,
    new_figure,
    shortened_apart,
    to_png,
    to_svg,
)


def texts(figure):
    """What stands in a figure."""
    return re.findall(r">([^<>]+)</text>", to_svg(figure))


@pytest.mark.parametrize(
    ("base", "limits", "shown"),
    [
        (10, (1e11, 1e15), "10¹²"),
        (10, (1.1e14, 3.5e14), "2×10¹⁴"),
        (10, (1e-7, 1e-2), "10⁻⁵"),
        (2, (0.1, 16), "2⁻²"),
    ],
)
def test_powers_on_a_logarithmic_axis_are_text(base, limits, shown):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot(limits, limits)
        ax.set_xscale("log", base=base)
        ax.set_yscale("log", base=base)
    assert texts(figure).count(shown) == 2
    assert not [text for text in texts(figure) if "$" in text]


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


@pytest.mark.parametrize("place", [-0.04, 0.0, 0.5, 1.04])
def test_a_limit_without_an_interval_is_a_line_inside_the_frame_and_no_bar(place):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot([0, 1], [0, 1])
        mark_limits(ax, [Limit(place, None, "red")])
    bottom, top = ax.get_ylim()
    assert bottom + 0.04 < place < top - 0.04
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]


@given(
    st.lists(
        st.text("ab_-", min_size=1, max_size=60).map(lambda name: f"runs_{name}_solver"),
        min_size=1,
        max_size=30,
        unique=True,
    )
)
def test_different_names_are_shortened_to_different_ones(names):
    found = shortened_apart(names, 20)
    assert len(set(found)) == len(names)
    assert max(map(len, found)) <= 20


def test_what_tells_names_apart_is_kept():
    names = [f"GSI-vanilla-Mistral-7B-instruct-k{k}__perf-of-all__solver" for k in (1, 4, 64)]
    for name, k in zip(shortened_apart([*names, "other"], 28), (1, 4, 64), strict=False):
        assert f"k{k}_" in name


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
