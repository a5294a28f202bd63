"""The picture of a fit says what the report says first, and shows no limit that it refutes."""

import dataclasses

import numpy as np
import pytest

from jaxgap.fitting import LevenbergMarquardt, LinearLaw, fit
from jaxgap.report.curves import draw_curves
from jaxgap.report.forecast import draw_forecast
from jaxgap.report.theory import draw_theory
from jaxgap.trajectory import Trajectory

T = np.arange(40.0)
NOISE = 0.004 * np.random.default_rng(0).standard_normal((2, 40))


def run_of(curve):
    return Trajectory(T, 1 + curve + NOISE[0], 0.8 + 0.5 * curve + NOISE[1])


def drawn(run, **options):
    """The axes of the capabilities and of the gap, and the fit."""
    result = fit(LinearLaw(), run, **options)
    return draw_curves(run, result).axes, result


def dashed(ax):
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def test_a_law_that_describes_a_run_is_drawn_beyond_it_with_its_limits():
    (upper, lower), _ = drawn(run_of(np.exp(-0.2 * T)))
    assert upper.get_title(loc="left") == "Fit of the linear law; 90% bands; dashed: limits"
    assert (len(dashed(upper)), len(dashed(lower))) == (2, 1)
    assert max(line.get_xdata().max() for line in upper.lines if len(line.get_xdata()) == 128) > 50


def test_a_limit_that_the_run_is_beyond_is_drawn_neither_as_a_line_nor_as_a_plateau():
    (upper, lower), result = drawn(run_of((1 + 2 * T) ** -0.35))
    assert result.limits["solver"].identifiability == "refuted"
    assert result.limits["gap"].estimate is not None
    assert dashed(upper) == dashed(lower) == []
    for ax in (upper, lower):
        curves = [line for line in ax.lines if len(line.get_xdata()) == 128]
        assert curves
        assert max(line.get_xdata().max() for line in curves) == T[-1]
    title = upper.get_title(loc="left")
    assert title == "Fit of the linear law, which does not describe this run\n90% bands"


@pytest.mark.parametrize(
    ("max_steps", "said"),
    [(None, "which does not describe this run"), (2, "which did not converge")],
)
def test_what_speaks_against_a_fit_stands_in_its_picture(max_steps, said):
    options = {} if max_steps is None else {"minimiser": LevenbergMarquardt(max_steps=max_steps)}
    (upper, _), result = drawn(run_of(((T - 20) / 20) ** 2), **options)
    assert result.converged == (max_steps is None)
    assert said in upper.get_title(loc="left")


def test_a_picture_without_a_limit_speaks_of_none():
    (upper, lower), result = drawn(run_of(-0.02 * T))
    assert {limit.estimate for limit in result.limits.values()} == {None}
    assert dashed(upper) == dashed(lower) == []
    assert upper.get_title(loc="left") == "Fit of the linear law; 90% bands"


def test_a_limit_that_is_held_has_no_bar():
    run = run_of(np.exp(-0.2 * T))
    result = fit(LinearLaw(), run)
    held = dataclasses.replace(result.limits["gap"], estimate=0.2, stderr=None, interval=None)
    result = dataclasses.replace(result, limits=result.limits | {"gap": held})
    upper, lower = draw_curves(run, result).axes
    assert [
        len([line for line in ax.lines if line.get_linewidth() == 3]) for ax in (upper, lower)
    ] == [2, 0]
    assert dashed(lower)[0].get_ydata()[0] == 0.2


@pytest.mark.parametrize(
    ("kind", "level", "least"),
    [
        ("accuracy", 1.0, 0.02),
        pytest.param("uncertainty", 2.0, 0.002, marks=pytest.mark.slow),
    ],
)
def test_the_rounding_of_a_run_that_does_not_move_fills_no_picture(kind, level, least):
    still = np.full(13, level)
    counts = {"num_items": 50} if kind == "accuracy" else {}
    run = Trajectory(np.arange(13.0), still, still, kind=kind, **counts)
    result = fit(LinearLaw(), run)
    figures = draw_curves(run, result), draw_forecast(run, fit(LinearLaw(), run.head(7)))
    for ax in (ax for figure in figures for ax in figure.axes):
        assert np.ptp(ax.get_ylim()) >= least
    for ax in draw_theory(run, result).axes:
        assert np.ptp(ax.get_ylim()) >= least / 12
        assert np.ptp(ax.get_xlim()) >= least


def test_many_measurements_are_small_and_translucent_below_the_curve():
    ts = np.arange(0.0, 40.0, 0.25)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, len(ts)))
    curve = np.exp(-0.2 * ts)
    (upper, _), _ = drawn(Trajectory(ts, 1 + curve + noise[0], 0.8 + 0.5 * curve + noise[1]))
    dots = [line for line in upper.lines if line.get_marker() == "o"]
    curves = [
        line for line in upper.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 128
    ]
    assert len(dots) == len(curves) == 2
    assert all(line.get_alpha() < 0.5 and line.get_markersize() < 4 for line in dots)
    assert min(line.get_zorder() for line in curves) > max(line.get_zorder() for line in dots)


def test_the_gap_has_the_errors_that_were_recorded():
    errors = np.where(T > 3, 0.02, np.nan)
    run = run_of(np.exp(-0.2 * T)).replace(extra={"gap_se": errors})
    (_, lower), _ = drawn(run)
    (bars,) = (each for each in lower.collections if hasattr(each, "get_segments"))
    heights = [np.ptp(segment[:, 1]) for segment in bars.get_segments() if len(segment)]
    assert np.nanmax(heights) == pytest.approx(0.04)


def test_rounds_are_whole():
    run = run_of(np.exp(-0.2 * T)).head(4).replace(time_unit="round")
    (_, lower), _ = drawn(run)
    assert all(float(tick).is_integer() for tick in lower.get_xticks())
