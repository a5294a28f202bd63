"""The figure of a bench: one colour a setting, its seeds faint behind their mean."""

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
    assert [np.ptp(bar[:, 1]) / 2 for bar in bars] == pytest.approx([5, 1.5])


def test_rounds_are_whole_numbers():
    curve = BenchCurve([0.4, 0.5, 0.6], 1e11, 20.0)
    left = draw_bench([BenchSetting("a", [curve], 1.0)]).axes[0]
    assert all(tick == round(tick) for tick in left.get_xticks())


def settings_of_costs(*flops):
    curves = [BenchCurve([0.4, 0.5], cost, 10.0) for cost in flops]
    return [BenchSetting(f"s{i}", [curve], 1.0) for i, curve in enumerate(curves)]


def drawn_costs(ax):
    lines = [line for line in ax.collections if isinstance(line, LineCollection)]
    return np.array([np.asarray(line.get_segments()[0])[0, 0] for line in lines])


def test_costs_that_nearly_agree_stand_apart_on_an_axis_that_shows_how_near_they_are():
    costs = [1.3e15, 1.3e15 * (1 + 5e-5), 1.3e15 * (1 - 5e-5)]
    right = draw_bench(settings_of_costs(*costs)).axes[1]
    low, high = right.get_xlim()
    assert high / low > 2
    shown = drawn_costs(right)
    assert np.argsort(shown).tolist() == [2, 0, 1]
    assert np.diff(np.log(np.sort(shown))).min() > 0.01
    assert np.log(shown) == pytest.approx(np.log(costs), abs=0.02)
    assert "slightly offset" in right.get_xlabel()


@pytest.mark.parametrize("costs", [[1e15], [1e15, 4e15, 5e14]])
def test_costs_that_differ_stand_where_they_are(costs):
    right = draw_bench(settings_of_costs(*costs)).axes[1]
    assert drawn_costs(right) == pytest.approx(costs)
    low, high = right.get_xlim()
    assert low < min(costs) <= max(costs) < high
    assert right.get_xlabel() == "floating-point operations"


def test_many_long_names_leave_the_panels_their_room():
    curve = BenchCurve([0.4, 0.5], 1e15, 10.0)
    names = [f"SmolLM2-135M-Instruct-reasoning-gym_chain_sum-N{n}-threshold0.5" for n in range(16)]
    figure = draw_bench([BenchSetting(name, [curve], 1.0) for name in [*names, "x" * 300]])
    figure.draw_without_rendering()
    width, _ = figure.get_size_inches()
    inches = [ax.get_position().width * width for ax in figure.axes]
    assert min(inches) > 0.4 * width
    ends = figure.legends[0].get_window_extent()
    assert 0 <= ends.x0 < ends.x1 <= figure.bbox.width
