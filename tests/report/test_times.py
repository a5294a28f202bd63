"""Curves are drawn through the measured times, and evenly between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting import LinearLaw, fit
from jaxgap.report.curves import draw_curves
from jaxgap.report.forecast import draw_forecast
from jaxgap.report.theory import draw_theory
from jaxgap.report.times import curve_times
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.collection import Collection, NamedRun
from jaxgap.workflows.compare import compare_runs, draw_comparison


@given(
    st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=300),
    st.floats(0.0, 1e3),
)
def test_every_gap_between_times_is_at_most_an_even_part_and_a_part_of_its_interval(steps, beyond):
    ts = np.cumsum([-3.0, *steps])
    end = ts[-1] + beyond
    found = curve_times(ts, end)
    assert len(found) == 128
    assert (np.diff(found) >= 0).all()
    assert (found[0], found[-1]) == (ts[0], end)
    assert np.diff(found).max() <= (end - ts[0]) / 45
    if len(ts) <= 81:
        assert np.isin(ts, found).all()


LATE = np.array([0.0, 1, 2, 3, 4, 1000])
DOUBLING = np.array([0.0, *2.0 ** np.arange(11)])


def lawful(ts, rate, kind="uncertainty"):
    """A run of the linear law with ratio 0.4 and hardly any noise."""
    noise = 1e-4 * np.random.default_rng(0).standard_normal((2, len(ts)))
    decay = np.exp(-rate * ts)
    solver, verifier = 0.3 + 0.5 * decay + noise[0], 0.2 + 0.2 * decay + noise[1]
    if kind == "accuracy":
        solver, verifier = 1 - solver, 1 - verifier
    return Trajectory(ts, solver, verifier, kind=kind)


def pictures(run):
    """The lines of the solver's curve in each figure that has one."""
    result = fit(LinearLaw(), run)
    found = compare_runs(Collection((NamedRun("a", "a", run),), ()), LinearLaw())
    figures = draw_curves(run, result), draw_forecast(run, result_of_head(run))
    for figure in (*figures, draw_comparison(found)):
        yield max(figure.axes[0].lines, key=lambda line: len(line.get_xdata()))


def result_of_head(run):
    return fit(LinearLaw(), run.head(run.num_rows - 1))


@pytest.mark.parametrize(("ts", "rate"), [(LATE, 0.9), (DOUBLING, 0.02)])
def test_curves_are_the_law_between_measurements_however_they_are_spaced(ts, rate):
    run = lawful(ts, rate)
    for line in pictures(run):
        drawn = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        # Everywhere up to the fifth row, at which both runs still bend.
        dense = np.concatenate([np.linspace(0, ts[4], 500), ts])
        law = 0.3 + 0.5 * np.exp(-rate * dense)
        assert np.abs(np.interp(dense, *drawn) - law).max() < 0.01


@pytest.mark.parametrize("kind", ["uncertainty", "accuracy"])
def test_the_potential_is_the_laws_own(kind):
    """The linear law closes the gap at rate (G - G_inf), whatever the times were."""
    run = lawful(LATE, 0.9, kind)
    left, right = draw_theory(run, fit(LinearLaw(), run)).axes
    (law,) = (line for line in left.lines if line.get_label() == "law")
    gap, closing = law.get_xdata(), law.get_ydata()
    assert closing == pytest.approx(0.9 * (gap - 0.1), abs=2e-3)
    (coupling,) = (line for line in right.lines if line.get_label() == "law")
    assert np.ptp(coupling.get_xdata()) == pytest.approx(0.5, abs=0.01)
