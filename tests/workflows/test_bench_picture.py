"""The picture of a bench: one colour a setting, its seeds faint behind their mean."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from jaxgap.report.bench import BenchCurve, BenchSetting, draw_bench


def test_seeds_of_a_setting_share_one_entry_and_have_their_mean_with_its_error():
    two = [BenchCurve([0.4, 0.5], 1e11, 10.0), BenchCurve([0.4, 0.6], 3e11, 20.0)]
    one = [BenchCurve([0.4, 0.45], 1e11, 5.0)]
    figure = draw_bench([BenchSetting("a", two, 5.0), BenchSetting("b", one, 1.5)])
    left, right = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    means = {line.get_label(): line.get_ydata() for line in left.lines}
    assert means["a"] == pytest.approx([0.4, 0.55])
    assert means["b"] == pytest.approx([0.4, 0.45])
    lines = [line for line in right.collections if isinstance(line, LineCollection)]
    bars = [np.asarray(line.get_segments()[0]) for line in lines]
    assert [bar[0, 0] for bar in bars] == pytest.approx([2e11, 1e11])
    assert [bar[:, 1].mean() for bar in bars] == pytest.approx([15, 5])
    # Two standard errors each way.
    assert [np.ptp(bar[:, 1]) / 4 for bar in bars] == pytest.approx([5, 1.5])


def test_rounds_are_whole_numbers():
    curve = BenchCurve([0.4, 0.5, 0.6], 1e11, 20.0)
    left = draw_bench([BenchSetting("a", [curve], 1.0)]).axes[0]
    assert all(tick == round(tick) for tick in left.get_xticks())
