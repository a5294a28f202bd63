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
    runs = {f"seed{seed}": rising(seed) for seed in (3, 4, 5)} | {"slow": rising(2, 0.008)}
    ax, limits = drawn(runs)
    _, right = ax.get_xlim()
    assert limits["slow"].interval[1] > right
    arrows = [line for line in ax.lines if line.get_marker() == ">"]
    assert [list(line.get_xdata()) for line in arrows] == [[right]]
    assert ax.get_title(loc="left").endswith("\n◂ ▸ beyond the frame, or open")


def test_the_frame_makes_room_for_an_end_that_is_near():
    runs = {f"seed{seed}": rising(seed) for seed in (3, 4, 5)} | {"slow": rising(2, 0.013)}
    ax, limits = drawn(runs)
    assert limits["slow"].interval[1] < ax.get_xlim()[1]
    assert all(line.get_marker() not in ("<", ">") for line in ax.lines)
    assert "▸" not in ax.get_title(loc="left")


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


@pytest.mark.parametrize(
    ("interval", "marks"),
    [
        ((None, 0.67), {"<": 0.67}),
        ((0.73, None), {">": 0.73}),
        ((0.65, 0.67), {}),
        ((-9.0, 0.67), {"<": -np.inf}),
        ((0.71, 9.0), {">": np.inf}),
        ((-9.0, 9.0), {"<": -np.inf, ">": np.inf}),
        (None, {}),
    ],
)
def test_a_limit_withheld_has_a_bar_if_its_interval_is_closed_and_else_an_arrow(interval, marks):
    """Beside it, not over it, stands that it is withheld."""
    run = rising(3)
    results = [fit(LinearLaw(), rising(seed)) for seed in (3, 4, 5)]
    withheld = dataclasses.replace(
        results[0].limits["solver"], estimate=None, stderr=None, interval=interval, reason="why"
    )
    results[0] = dataclasses.replace(results[0], limits=results[0].limits | {"solver": withheld})
    fitted = [result.fitted_curves(T)["solver"] for result in results]
    runs = [
        OverlayRun(name, None, run, result, T, curve)
        for name, result, curve in zip("abc", results, fitted, strict=True)
    ]
    ax = draw_overlay(runs, {}).axes[1]
    left, right = ax.get_xlim()
    own = [line for line in ax.lines if line.get_ydata()[0] == 0]
    arrows = {line.get_marker(): line.get_xdata()[0] for line in own if line.get_marker() != "None"}
    assert arrows == {mark: np.clip(end, left, right) for mark, end in marks.items()}
    bars = [tuple(line.get_xdata()) for line in own if len(line.get_xdata()) == 2]
    closed = interval is not None and None not in interval
    assert bars == ([tuple(np.clip(interval, left, right))] if closed else [])
    (words,) = ax.texts
    assert words.get_text() == "withheld"
    place = left + words.get_position()[0] * (right - left)
    reach = 0.08 * (right - left)
    assert all(abs(place - end) > reach for end in arrows.values())
    if interval != (-9.0, 9.0):
        assert all(not low - reach < place < high + reach for low, high in bars)


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


def overlaid_at(*begins):
    runs = []
    for number, begin in enumerate(begins):
        run = rising(number)
        moved = run.replace(ts=run.ts + begin)
        result = fit(LinearLaw(), moved)
        fitted = result.fitted_curves(T + begin)["solver"]
        runs.append(OverlayRun(f"run{number}", None, moved, result, T + begin, fitted))
    return draw_overlay(runs, {}).axes[0]


def test_runs_that_begin_far_apart_are_drawn_from_their_beginnings():
    ax = overlaid_at(0.0, 1e6)
    assert all(line.get_xdata()[0] == 0 for line in ax.lines)
    assert ax.get_xlabel() == "time (epochs since each run's first row)"


def test_other_runs_are_drawn_at_their_own_times():
    ax = overlaid_at(0.0, 200.0)
    assert {float(line.get_xdata()[0]) for line in ax.lines} == {0.0, 200.0}
    assert ax.get_xlabel() == "time (epochs)"
