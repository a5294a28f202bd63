"""Limits in one picture: what of an interval is seen, and what is said of the rest."""

import dataclasses

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.pooling import Interval
from jaxgap.report.overlay import OverlayRun, PooledLimit, draw_overlay
from jaxgap.trajectory import Trajectory

T = np.arange(0.0, 120.0, 10.0)


def drawn(runs, pooled=None, alone=()):
    overlaid = []
    for name, run in runs.items():
        result = fit(LinearLaw(), run)
        fitted = result.fitted_curves(T)["solver"]
        group = None if name in alone else "seeds"
        overlaid.append(OverlayRun(name, group, run, result, T, fitted))
    figure = draw_overlay(overlaid, pooled or {})
    return figure.axes[1], {each.name: each.result.limits["solver"] for each in overlaid}


def rising(seed, rate=0.03):
    noise = np.random.default_rng(seed).normal(0, 0.012, 12)
    return Trajectory(T, 0.7 - 0.3 * np.exp(-rate * T) + noise, kind="accuracy")


def test_intervals_of_seeds_that_agree_end_inside_the_frame():
    ax, limits = drawn({f"seed{seed}": rising(seed) for seed in (3, 4, 5)})
    left, right = ax.get_xlim()
    for limit in limits.values():
        low, high = limit.interval
        assert left < low < high < right


def test_an_end_beyond_the_frame_is_an_arrow():
    """The limit of a run that hardly bends is known to no better than half of what was seen."""
    runs = {f"seed{seed}": rising(seed) for seed in (3, 4, 5)} | {"slow": rising(2, 0.013)}
    ax, limits = drawn(runs)
    _, right = ax.get_xlim()
    assert limits["slow"].interval[1] > right
    arrows = [line for line in ax.lines if line.get_marker() == ">"]
    assert [list(line.get_xdata()) for line in arrows] == [[right]]


@pytest.mark.parametrize("high", [9.0, np.inf])
def test_a_next_seed_beyond_the_frame_is_an_arrow(high):
    pooled = PooledLimit(Interval(0.7, 0.68, 0.72), Interval(0.7, -9.0, high), 3, 0, 0)
    ax, _ = drawn({f"seed{seed}": rising(seed) for seed in (3, 4, 5)}, {"seeds": pooled})
    left, right = ax.get_xlim()
    (bar,) = (line for line in ax.lines if line.get_linewidth() == 7)
    assert list(bar.get_xdata()) == [left, right]
    arrows = [line for line in ax.lines if line.get_marker() in ("<", ">")]
    assert sorted(float(line.get_xdata()[0]) for line in arrows) == [left, right]
    (diamond,) = (line for line in ax.lines if line.get_marker() == "D")
    assert list(diamond.get_xdata()) == [0.7]


def test_a_run_that_is_called_like_an_experiment_is_not_of_it():
    runs = {name: rising(seed) for seed, name in enumerate(["seed1", "seed2", "seeds"], 3)}
    pooled = {"seeds": PooledLimit(Interval(0.7, 0.68, 0.72), Interval(0.7, 0.6, 0.8), 2, 0, 0)}
    ax, _ = drawn(runs, pooled, alone=["seeds"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["seed1", "seed2", "seeds, pooled", "seeds"]
    first, second, alone = (line.get_color() for line in ax.lines if line.get_marker() == "o")
    assert first == second != alone


def test_what_is_said_of_a_limit_does_not_cover_its_arrows():
    ax, _ = drawn({"slow": rising(6, 0.013), "known": rising(3, 0.02)})
    left, right = ax.get_xlim()
    arrows = [line for line in ax.lines if line.get_marker() in ("<", ">")]
    distances = [
        abs((line.get_xdata()[0] - left) / (right - left) - words.get_position()[0])
        for words in ax.texts
        for line in arrows
        if line.get_ydata()[0] == words.get_position()[1]
    ]
    assert len(distances) > 2
    assert min(distances) > 0.2


@pytest.mark.parametrize(
    ("mean", "next_run", "title"),
    [
        (None, None, "Limits"),
        (Interval(0.7, 0.68, 0.72), Interval(0.7, 0.6, 0.8), "Limits; ◆ mean, bar: next seed"),
    ],
)
def test_the_title_explains_the_marks_that_are_drawn(mean, next_run, title):
    pooled = {"seeds": PooledLimit(mean, next_run, 2, 0, 0)}
    ax, _ = drawn({f"seed{seed}": rising(seed) for seed in (3, 4)}, pooled)
    assert any(line.get_marker() == "D" for line in ax.lines) == (mean is not None)
    assert ax.get_title(loc="left") == title


def test_a_run_that_does_not_move_is_drawn_without_a_warning_or_its_rounding():
    still = Trajectory(T, np.full(12, 2.0))
    ax, _ = drawn({"still": still})
    assert np.ptp(ax.get_xlim()) > 0.0019
    assert np.ptp(ax.figure.axes[0].get_ylim()) >= 0.002


def test_a_limit_without_an_interval_has_no_bar():
    run = rising(3)
    result = fit(LinearLaw(), run)
    held = dataclasses.replace(result.limits["solver"], interval=None, identifiability="held")
    result = dataclasses.replace(result, limits=result.limits | {"solver": held})
    fitted = result.fitted_curves(T)["solver"]
    ax = draw_overlay([OverlayRun("held", None, run, result, T, fitted)], {}).axes[1]
    assert [line.get_marker() for line in ax.lines] == ["o"]


def test_a_law_that_is_rejected_is_marked_as_such():
    ts = np.arange(40.0)
    noise = 0.004 * np.random.default_rng(0).standard_normal(40)
    creeping = Trajectory(ts, 1 - (1 + 2 * ts) ** -0.35 + noise, kind="accuracy")
    ax, _ = drawn({"lawful": rising(3), "creeping": creeping}, alone=["lawful", "creeping"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["lawful", "creeping †"]
    assert ax.get_title(loc="left") == "Limits\n† the law does not describe this run"
