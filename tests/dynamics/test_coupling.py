"""The way along a coupling: from the first gap to another, and on from there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.dynamics import (
    DriftingRatioCoupling,
    ExternalData,
    GapDynamics,
    InjectedDynamics,
    LinearPotential,
    RankOneCoupling,
)

COUPLINGS = [RankOneCoupling(0.4), DriftingRatioCoupling(0.3, 0.1)]
CAPABILITY, GAP = st.floats(0.5, 3.0), st.floats(0.05, 1.5)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=lambda each: type(each).__name__)
@given(solver=CAPABILITY, first=GAP, then=GAP, last=GAP)
def test_a_way_can_be_interrupted_anywhere(coupling, solver, first, then, last):
    with jax.enable_x64(True):
        start = solver, solver - first
        at_once = coupling.state_at(np.float64(last), *start)
        between = coupling.state_at(np.float64(then), *start)
        in_two = coupling.state_at(np.float64(last), *between)
        np.testing.assert_allclose(in_two, at_once, atol=1e-9)
        np.testing.assert_allclose(at_once[0] - at_once[1], last, atol=1e-12)
        np.testing.assert_allclose(coupling.state_at(np.float64(first), *start), start, atol=1e-9)


@pytest.mark.parametrize("coupling", COUPLINGS, ids=lambda each: type(each).__name__)
@given(solver=CAPABILITY, first=GAP, gap=GAP, gap_rate=st.floats(-2.0, 2.0))
def test_rates_are_the_derivative_of_the_state(coupling, solver, first, gap, gap_rate):
    with jax.enable_x64(True):
        _, slope = jax.jvp(
            lambda gap: coupling.state_at(gap, solver, solver - first), (gap,), (gap_rate,)
        )
        np.testing.assert_allclose(coupling.rates_at(gap, gap_rate), slope, atol=1e-9)


def test_many_gaps_give_many_states():
    gaps = np.linspace(0.1, 1.0, 5)
    states = COUPLINGS[0].state_at(gaps, 2.0, 1.0)
    assert states.shape == (5, 2)
    np.testing.assert_allclose(states[:, 0] - states[:, 1], gaps, rtol=1e-6)
    # With a constant ratio U_v - r U_s is conserved.
    np.testing.assert_allclose(states[:, 1] - 0.4 * states[:, 0], 1.0 - 0.4 * 2.0, rtol=1e-5)


@pytest.mark.parametrize("ratio", [1.0, 1])
def test_a_ratio_of_one_is_no_division_by_zero(ratio):
    law = GapDynamics(LinearPotential(0.5, 0.1), RankOneCoupling(ratio), 2.0, 1.0)
    external = ExternalData(jnp.array([1.0, 2.0]), jnp.array([0.5, 0.5]), 0.1)
    reason = InjectedDynamics(law, external).validity().reason()
    assert reason == "the ratio dU_v/dU_s reaches one: the gap cannot close"
