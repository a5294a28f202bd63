"""The picture of a fit says what the report says first, and shows no limit that it refutes."""

import numpy as np
import pytest

from jaxgap.fitting import LevenbergMarquardt, LinearLaw, fit
from jaxgap.report.curves import draw_curves
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
    assert max(line.get_xdata().max() for line in upper.lines if len(line.get_xdata()) == 96) > 50


def test_a_limit_that_the_run_is_beyond_is_drawn_neither_as_a_line_nor_as_a_plateau():
    (upper, lower), result = drawn(run_of((1 + 2 * T) ** -0.35))
    assert result.limits["solver"].identifiability == "refuted"
    assert result.limits["gap"].estimate is not None
    assert dashed(upper) == dashed(lower) == []
    for ax in (upper, lower):
        curves = [line for line in ax.lines if len(line.get_xdata()) == 96]
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
