"""The picture of a plan shows the rounds that it has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.report.schedule import draw_schedules
from jaxgap.report.style import to_png
from jaxgap.trajectory import Trajectory


@pytest.fixture(scope="module")
def result():
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 12))
    decay = np.exp(-0.4 * ts)
    return fit(LinearLaw(), Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1]))


@pytest.mark.parametrize("times", [[4.0], [0.0, 3.0, 6.0], [0.0, 1.0, 30.0], list(range(30))])
def test_the_bars_take_most_of_their_panel_unless_there_is_one(result, times):
    figure = draw_schedules(result, [], {}, DataSchedule.uniform(times), 0.1)
    panel = figure.axes[1]
    first, last = panel.get_xlim()
    assert first < times[0] <= times[-1] < last
    taken = sum(bar.get_width() for bar in panel.patches)
    if len(times) == 1:
        assert taken < 0.1 * (last - first)
    else:
        assert times[-1] - times[0] > 0.6 * (last - first)


@given(
    exponent=st.floats(-6, 6),
    factor=st.floats(1e-3, 12).map(lambda decades: 10**decades),
)
def test_gammas_are_marked_by_round_numbers(result, exponent, factor):
    low = 10**exponent
    strengths = list(np.geomspace(low, low * factor, 9))
    limits = {"early": np.linspace(0.9, 0.5, 9)}
    upper, _ = draw_schedules(result, strengths, limits, None, strengths[4]).axes
    ticks, (left, right) = upper.get_xticks(), (strengths[0], strengths[-1])
    assert 2 <= len(ticks) <= 8
    assert all(left <= tick <= right for tick in ticks)
    if factor > 5:
        assert {float(f"{tick:.0e}") for tick in ticks} == set(ticks)
    shown = [float(label.get_text()) for label in upper.get_xticklabels()]
    assert shown == pytest.approx(list(ticks), rel=1e-6)


def test_the_legend_names_the_chosen_gamma_and_covers_no_line(result):
    limits = {name: np.linspace(0.9, 0.5, 9) for name in ("early", "uniform", "late", "best")}
    strengths = list(np.geomspace(0.02, 2, 9))
    figure = draw_schedules(result, strengths, limits, None, 0.2)
    to_png(figure)
    upper = figure.axes[0]
    assert list(upper.get_xticks()) == [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2]
    legend = upper.get_legend()
    assert "gamma = 0.2" in [text.get_text() for text in legend.get_texts()]
    frame, names = upper.get_window_extent(), legend.get_window_extent()
    assert names.x0 > frame.x1
    assert names.x1 < figure.bbox.x1
