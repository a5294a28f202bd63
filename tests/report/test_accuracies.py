"""Accuracies over rounds, with ticks at whole rounds and none of the points cut."""

import numpy as np

from jaxgap.report.accuracies import draw_accuracies
from jaxgap.trajectory import Trajectory


def test_rounds_are_whole_and_an_accuracy_of_one_is_seen_in_full():
    ts = np.arange(4.0)
    extra = {"solver_accuracy": np.array([0.2, 0.7, 1.0, 1.0])}
    (ax,) = draw_accuracies(Trajectory(ts, 2 - 0.2 * ts, extra=extra, time_unit="round")).axes
    ticks = ax.get_xticks()
    assert all(float(tick).is_integer() for tick in ticks)
    assert not ax.lines[0].get_clip_on()
