"""The picture of a bench: one colour a setting, its seeds faint behind their mean."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from jaxgap.report.bench import BenchCurve, draw_bench


def test_seeds_of_a_setting_share_one_entry_and_have_the_error_over_seeds():
    curves = [
        BenchCurve("a", [0.4, 0.5], 1e11, 10.0, 9.0),
        BenchCurve("a", [0.4, 0.6], 3e11, 20.0, 9.0),
        BenchCurve("b", [0.4, 0.45], 1e11, 5.0, 1.5),
    ]
    figure = draw_bench(curves)
    left, right = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    means = {line.get_label(): line.get_ydata() for line in left.lines}
    assert means["a"] == pytest.approx([0.4, 0.55])
    assert means["b"] == pytest.approx([0.4, 0.45])
    lines = [line for line in right.collections if isinstance(line, LineCollection)]
    bars = [np.asarray(line.get_segments()[0]) for line in lines]
    assert [bar[0, 0] for bar in bars] == pytest.approx([2e11, 1e11])
    assert [bar[:, 1].mean() for bar in bars] == pytest.approx([15, 5])
    # Five points is the standard error of 10 and 20; that over prompts is for one seed alone.
    assert [np.ptp(bar[:, 1]) / 4 for bar in bars] == pytest.approx([5, 1.5])


def test_rounds_are_whole_numbers():
    left = draw_bench([BenchCurve("a", [0.4, 0.5, 0.6], 1e11, 20.0, 1.0)]).axes[0]
    assert all(tick == round(tick) for tick in left.get_xticks())
