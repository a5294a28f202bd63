"""The drifting ratio against quadrature, in its limits, and as a part of the dynamics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import quad, solve_ivp

from jaxgap.dynamics import (
    DriftingRatioCoupling,
    ExternalData,
    GapDynamics,
    InjectedDynamics,
    LinearPotential,
    RankOneCoupling,
    simulate,
    simulate_injected,
)

# The ratio goes from .3 at the first gap, .56, to .6 at a gap of zero.
DRIFTING = GapDynamics(
    LinearPotential(0.35, 0.04), DriftingRatioCoupling(0.6, -0.3 / 0.56), 0.96, 0.40, t0=0.5
)
TS = np.linspace(0.5, 10.0, 20)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("slope", [-0.5, 0.0, 1e-9, 0.4])
def test_change_is_the_integral_of_the_slope(slope):
    coupling = DriftingRatioCoupling(0.3, slope)
    for gap in (0.05, 0.9, 1.3):
        expected, _ = quad(lambda g: 1 / (1 - 0.3 - slope * g), 0.9, gap, epsabs=1e-13)
        np.testing.assert_allclose(coupling.solver_change(gap, 0.9), expected, atol=1e-12)
        h = jax.grad(lambda g: coupling.solver_change(g, 0.9))(jnp.array(gap))
        np.testing.assert_allclose(coupling.solver_slope(gap), h, rtol=1e-12)


def test_without_slope_it_is_the_rank_one_coupling():
    gaps = jnp.linspace(0.0, 2.0, 5)
    found = DriftingRatioCoupling(0.4, 0.0).solver_change(gaps, 0.9)
    np.testing.assert_allclose(found, RankOneCoupling(0.4).solver_change(gaps, 0.9), rtol=1e-14)


def test_closed_form_agrees_with_scipy_and_diffrax():
    def field(t, y):
        gap_rate = -0.35 * (y[0] - y[1] - 0.04)
        ratio = 0.6 - 0.3 / 0.56 * (y[0] - y[1])
        return [gap_rate / (1 - ratio), gap_rate * ratio / (1 - ratio)]

    expected = solve_ivp(field, (0.5, 10), [0.96, 0.40], t_eval=TS, rtol=1e-11, atol=1e-13).y.T
    found = DRIFTING.closed_form(TS)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found, simulate(DRIFTING, TS).ys, atol=1e-9)
    slopes = np.diff(found[:, 1]) / np.diff(found[:, 0])
    assert 0.3 < slopes[0] < slopes[-1] < 0.6
    np.testing.assert_allclose(DRIFTING.closed_form([300.0])[0], DRIFTING.limits()[:2], rtol=1e-12)


@pytest.mark.parametrize("slope", [-0.3, 0.0])
def test_gradients(slope):
    dynamics = GapDynamics(
        LinearPotential(0.35, 0.04), DriftingRatioCoupling(0.5, slope), 0.96, 0.40, t0=0.5
    )
    dynamics = jax.tree.map(jnp.asarray, dynamics)
    check_grads(
        jax.jit(lambda d: (d.closed_form(TS[1:]), d.limits())),
        (dynamics,),
        order=1,
        modes=["fwd", "rev"],
        rtol=1e-5,
    )


def test_external_data_act_on_it():
    """The limit after jumps needs no constant ratio; Proposition 5.1 is about one."""
    external = ExternalData(np.array([1.0, 3.0]), np.array([0.4, 0.6]), 0.3)
    run = InjectedDynamics(DRIFTING, external)
    simulated = simulate_injected(DRIFTING, external, TS)
    np.testing.assert_allclose(run.closed_form(TS), simulated, rtol=1e-7)
    np.testing.assert_allclose(run.closed_form([300.0])[0], run.limits()[:2], rtol=1e-12)
    with pytest.raises(ValueError, match="must be a RankOneCoupling, got DriftingRatioCoupling"):
        run.proposition_5_1()


@pytest.mark.parametrize("rounds", [[0.0], [0.0, 1.0]], ids=repr)
@pytest.mark.parametrize(
    ("strength", "holds"), [(0.1, True), (0.24, True), (0.26, False), (3.0, False)]
)
def test_a_jump_that_brings_the_ratio_to_one_is_said(strength, holds, rounds):
    """The ratio is .3 + .5 G, and the jump opens the gap to 3 - 2 / (1 + strength)."""
    law = GapDynamics(LinearPotential(0.5, 0.0), DriftingRatioCoupling(0.3, 0.5), 3.0, 2.0)
    shares = np.eye(len(rounds))[0]
    run = InjectedDynamics(law, ExternalData(np.array(rounds), shares, strength))
    assert (0.3 + 0.5 * (3 - 2 / (1 + strength)) < 1) == holds
    validity = run.validity()
    assert bool(validity.ratio) == holds
    assert bool(np.isfinite(run.limits()).all()) == holds
    if not holds:
        assert not validity.holds
        assert "dU_v/dU_s reaches one" in validity.reason()


def test_a_ratio_that_would_reach_one_at_the_limit_is_said_too():
    law = GapDynamics(LinearPotential(0.5, 0.0), DriftingRatioCoupling(1.1, -0.5), 3.0, 2.0)
    nothing = ExternalData(np.zeros(1), np.zeros(1), 1.0)
    assert "dU_v/dU_s reaches one" in InjectedDynamics(law, nothing).validity().reason()
    # A ratio of just one, where dU_s/dG is infinite rather than negative.
    one = GapDynamics(LinearPotential(0.5, 0.0), DriftingRatioCoupling(1.0, -0.5), 3.0, 2.0)
    assert not InjectedDynamics(one, nothing).validity().ratio
    still = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.999), 3.0, 2.0)
    assert InjectedDynamics(still, nothing).validity().ratio


@jax.jit
def curves(dynamics, ts):
    return dynamics.closed_form(ts)


@settings(deadline=None, max_examples=50)
@given(
    first=st.floats(0.0, 0.95),
    last=st.floats(0.0, 0.95),
    rate=st.floats(1e-2, 1e2),
    gap=st.floats(0.01, 10.0),
    unit=st.sampled_from([1e-6, 1e3]),
)
def test_both_capabilities_improve_steadily_and_units_do_not_matter(first, last, rate, gap, unit):
    ts = jnp.linspace(0.0, 10.0, 9) / rate

    def run(unit):
        coupling = DriftingRatioCoupling(last, (first - last) / (gap * unit))
        potential = LinearPotential(rate, 0.0)
        dynamics = GapDynamics(potential, coupling, (2 + gap) * unit, 2.0 * unit)
        return np.asarray(curves(jax.tree.map(jnp.asarray, dynamics), ts))

    ys = run(1.0)
    assert (np.diff(ys, axis=0) <= 1e-13 * gap).all()
    np.testing.assert_allclose(run(unit), ys * unit, rtol=1e-11)
