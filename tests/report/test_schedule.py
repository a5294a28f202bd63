"""The picture of a plan shows the rounds that it has."""

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.report.schedule import draw_schedules
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
