"""Rise-then-fall against SciPy with its target as a third state, in its limits, under jumps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp

from jaxgap.dynamics import (
    DriftingRatioCoupling,
    ExternalData,
    GapDynamics,
    LinearPotential,
    RankOneCoupling,
    RiseThenFallDynamics,
    simulate,
    simulate_injected,
)
from jaxgap.dynamics.rise_then_fall_dynamics import gain_and_loss

LAW = RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, 0.12, 0.04, 0.7, 0.96, 0.40, t0=0.5)
TS = np.linspace(0.5, 15.0, 20)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def by_scipy(rate, erosion, loss, ts, external=None):
    """The target as a state of its own."""
    limit = 0.04 + loss * 0.52

    def field(t, y):
        gap_rate = -rate * (y[0] - y[1] - y[2])
        return [gap_rate / 0.6, 0.4 * gap_rate / 0.6, -erosion * (y[2] - limit)]

    y, t0, pieces = [0.96, 0.40, 0.04], 0.5, []
    for t1, divisor in [*([external] if external else []), (ts[-1], 1.0)]:
        at = np.append(ts[(ts > t0) & (ts < t1)], t1)
        solution = solve_ivp(field, (t0, t1), y, t_eval=at, rtol=1e-11, atol=1e-13).y
        pieces.append(solution[:2, : len(at) - (t1 != ts[-1])].T)
        y, t0 = solution[:, -1] / np.array([1.0, divisor, 1.0]), t1
    return np.concatenate([[[0.96, 0.40]], *pieces])


@pytest.mark.parametrize("erosion", [0.12, 0.9, 0.9 + 1e-9, 2.0])
def test_closed_form_agrees_with_scipy_and_diffrax(erosion):
    law = RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, erosion, 0.04, 0.7, 0.96, 0.40, t0=0.5)
    found = law.closed_form(TS)
    np.testing.assert_allclose(found, by_scipy(0.9, erosion, 0.7, TS), rtol=1e-8)
    np.testing.assert_allclose(found, simulate(law, TS).ys, rtol=1e-8)
    np.testing.assert_allclose(law.closed_form([500.0])[0], law.limits()[:2], rtol=1e-12)


def test_capability_improves_and_then_worsens():
    solver = np.asarray(LAW.closed_form(TS))[:, 0]
    best = solver.argmin()
    assert 0 < best < len(TS) - 1
    assert (np.diff(solver)[:best] < 0).all()
    assert (np.diff(solver)[best:] > 0).all()


@pytest.mark.parametrize("field", ["loss", "erosion"])
def test_without_loss_or_erosion_it_is_the_linear_law(field):
    loss, erosion = (0.0, 0.12) if field == "loss" else (0.7, 0.0)
    law = RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, erosion, 0.04, loss, 0.96, 0.40, t0=0.5)
    plain = GapDynamics(LinearPotential(0.9, 0.04), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
    np.testing.assert_allclose(law.closed_form(TS), plain.closed_form(TS), rtol=1e-13)
    np.testing.assert_allclose(law.limits(), plain.limits(), rtol=1e-13)


def test_a_drifting_ratio_composes_with_it():
    law = RiseThenFallDynamics(
        DriftingRatioCoupling(0.6, -0.5), 0.9, 0.12, 0.04, 0.7, 0.96, 0.40, t0=0.5
    )
    np.testing.assert_allclose(law.closed_form(TS), simulate(law, TS).ys, rtol=1e-8)


def test_jumps_compose_with_it():
    """The verifier is better for a while, but its target erodes by the clock as before."""
    external = ExternalData(np.array([2.0]), np.array([1.0]), 0.3)
    found = simulate_injected(LAW, external, TS)
    np.testing.assert_allclose(found, by_scipy(0.9, 0.12, 0.7, TS, (2.0, 1.3)), rtol=1e-7)


@pytest.mark.parametrize("erosion", [0.12, 0.9])
def test_gradients(erosion):
    law = RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, erosion, 0.04, 0.7, 0.96, 0.40, t0=0.5)
    law = jax.tree.map(jnp.asarray, law)

    def fn(law):
        return law.closed_form(TS), law.limits(), law.vector_field(1.0, jnp.array([0.7, 0.3]))

    check_grads(jax.jit(fn), (law,), order=1, modes=["fwd", "rev"], rtol=1e-5)


def test_second_derivatives_at_equal_rates():
    """The difference quotient of the exponentials is an integral, which has no corner there."""
    elapsed = 2.0

    def lost(rates):
        return gain_and_loss(rates[0], rates[1], elapsed)[1]

    nodes, weights = np.polynomial.legendre.leggauss(20)
    u, w = (nodes + 1) / 2, weights / 2

    def by_quadrature(rates):
        rate, erosion = rates
        delayed = elapsed * jnp.sum(w * jnp.exp(-elapsed * (rate * u + erosion * (1 - u))))
        return 1 - jnp.exp(-rate * elapsed) - rate * delayed

    at = jnp.array([0.5, 0.5])
    hessian = jax.hessian(lost)(at)
    np.testing.assert_allclose(hessian, jax.hessian(by_quadrature)(at), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(jax.grad(lost)(at), jax.grad(by_quadrature)(at), rtol=1e-12)


@jax.jit
@jax.vmap
def curves(law):
    return law.closed_form(law.t0 + jnp.linspace(0.0, 30.0, 200) / law.rate)


@settings(deadline=None, max_examples=50)
@given(
    rate=st.floats(1e-2, 1e2),
    fraction=st.floats(0.0, 1.0),
    loss=st.floats(0.0, 5.0),
    unit=st.sampled_from([1e-6, 1e3]),
)
def test_it_turns_at_most_once_and_stays_within_its_ends_in_any_unit(rate, fraction, loss, unit):
    units, one = jnp.array([1.0, unit]), jnp.ones(2)
    laws = RiseThenFallDynamics(
        RankOneCoupling(0.4 * one),
        rate * one,
        fraction * rate * one,
        0.04 * units,
        loss * one,
        0.96 * units,
        0.40 * units,
        0 * one,
    )
    ys = np.asarray(curves(laws))
    gap = ys[0, :, 0] - ys[0, :, 1]
    turns = np.diff(np.sign(np.diff(gap)[np.abs(np.diff(gap)) > 1e-13]))
    assert np.count_nonzero(turns) <= 1
    assert gap.min() >= 0.04 - 1e-13
    assert gap.max() <= max(0.56, 0.04 + loss * 0.52) + 1e-12
    np.testing.assert_allclose(ys[1], ys[0] * unit, rtol=1e-12)


@pytest.mark.parametrize("erosion", [0.0, 0.12, 0.9])
def test_at_infinity_it_is_at_its_limits(erosion):
    law = RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, erosion, 0.04, 0.7, 0.96, 0.40, t0=0.5)
    np.testing.assert_allclose(law.closed_form(jnp.inf), law.limits()[:2], rtol=1e-12)
    np.testing.assert_allclose(law.closed_form(1e6), law.limits()[:2], rtol=1e-12)
