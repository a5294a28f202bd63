"""The general linear law against the matrix exponential, SciPy and Diffrax; what it contains."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from jaxgap.dynamics import (
    ExternalData,
    GapDynamics,
    GeneralLinearDynamics,
    LinearPotential,
    RankOneCoupling,
    simulate,
    simulate_injected,
)

LAW = GeneralLinearDynamics(
    0.8, 0.15, np.array([0.5, 0.1]), np.array([0.3, 0.25]), 0.96, 0.40, t0=0.5
)
TS = np.linspace(0.5, 10.0, 20)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def test_closed_form_is_the_matrix_exponential():
    matrix, limit = np.asarray(LAW.matrix), np.array(LAW.limits()[:2])
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(matrix)), [0.15, 0.8], rtol=1e-12)
    expected = [limit + expm(-matrix * (t - 0.5)) @ (np.array([0.96, 0.40]) - limit) for t in TS]
    np.testing.assert_allclose(LAW.closed_form(TS), expected, rtol=1e-12)


def test_closed_form_agrees_with_scipy_and_diffrax():
    matrix, limit = np.asarray(LAW.matrix), np.array([0.16, 0.05])

    def field(t, y):
        return -matrix @ (y - limit)

    expected = solve_ivp(field, (0.5, 10), [0.96, 0.40], t_eval=TS, rtol=1e-11, atol=1e-13).y.T
    np.testing.assert_allclose(LAW.closed_form(TS), expected, rtol=1e-8)
    np.testing.assert_allclose(LAW.closed_form(TS), simulate(LAW, TS).ys, rtol=1e-8)


def test_the_papers_law_is_its_rank_one_case():
    """One rate is zero, and what stands still is a change of both that leaves the gap alone."""
    paper = GapDynamics(LinearPotential(0.35, 0.04), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
    fast = np.array([1.0, 0.4]) * 0.52 / 0.6
    law = GeneralLinearDynamics(0.35, 0.0, fast, np.array([1.0, 1.0]), 0.96, 0.40, t0=0.5)
    np.testing.assert_allclose(law.closed_form(TS), paper.closed_form(TS), rtol=1e-14)
    np.testing.assert_allclose(law.limits(), paper.limits(), rtol=1e-12)
    expected = 0.35 / 0.6 * np.array([[1.0, -1.0], [0.4, -0.4]])
    np.testing.assert_allclose(law.matrix, expected, atol=1e-15)
    # The matrix itself agrees, and so everything off the curve, such as after a jump.
    external = ExternalData(np.array([2.0]), np.array([1.0]), 0.3)
    jumped = [simulate_injected(each, external, TS[[2, 9, 19]]) for each in (law, paper)]
    np.testing.assert_allclose(*jumped, rtol=1e-8)


def test_jumps_compose_with_it():
    """After a jump it is the same matrix from another state."""
    external = ExternalData(np.array([2.0]), np.array([1.0]), 0.3)
    ys = simulate_injected(LAW, external, np.array([2.0, 5.0]))
    limit = np.array(LAW.limits()[:2])
    after = np.asarray(ys[0]) / np.array([1.0, 1.3])
    expected = limit + expm(-np.asarray(LAW.matrix) * 3.0) @ (after - limit)
    np.testing.assert_allclose(ys[1], expected, rtol=1e-8)


def test_parallel_amplitudes_have_curves_but_no_matrix():
    parallel = GeneralLinearDynamics(0.8, 0.1, np.ones(2), 2 * np.ones(2), 4.0, 3.5)
    assert np.isfinite(parallel.closed_form(TS)).all()
    assert np.isnan(parallel.vector_field(0.0, parallel.initial_state)).all()


def test_gradients():
    law = jax.tree.map(jnp.asarray, LAW)

    def fn(law):
        return law.closed_form(TS), law.limits(), law.vector_field(0.0, jnp.array([0.7, 0.3]))

    check_grads(jax.jit(fn), (law,), order=1, modes=["fwd", "rev"], rtol=1e-5)


@jax.jit
@jax.vmap
def curves_and_limits(law):
    return law.closed_form(law.t0 + jnp.linspace(0.0, 40.0, 9) / law.slow_rate), law.limits()


@settings(deadline=None, max_examples=50)
@given(
    fast_rate=st.floats(1.0, 1e2),
    slow_rate=st.floats(1e-2, 0.9),
    amplitudes=st.lists(st.floats(0.0, 10.0), min_size=4, max_size=4),
    unit=st.sampled_from([1e-6, 1e3]),
)
def test_sums_of_decays_fall_to_their_limit_in_any_unit(fast_rate, slow_rate, amplitudes, unit):
    units = jnp.array([1.0, unit])
    modes = jnp.asarray(amplitudes)[None] * units[:, None]
    one = jnp.ones(2)
    laws = GeneralLinearDynamics(
        fast_rate * one,
        slow_rate * one,
        modes[:, :2],
        modes[:, 2:],
        30 * units,
        20 * units,
        0 * one,
    )
    ys, limits = curves_and_limits(laws)
    assert (np.diff(ys[0], axis=0) <= 1e-13).all()
    np.testing.assert_allclose(ys[0, -1], [limits.solver[0], limits.verifier[0]], rtol=1e-12)
    np.testing.assert_allclose(ys[1], ys[0] * unit, rtol=1e-12)


@pytest.mark.parametrize("slow_rate", [0.0, 0.15])
def test_at_infinity_it_is_at_its_limits(slow_rate):
    law = eqx.tree_at(lambda law: law.slow_rate, LAW, slow_rate)
    found = law.closed_form(np.array([2.0, np.inf]))
    np.testing.assert_array_equal(found[0], law.closed_form(np.array([2.0]))[0])
    np.testing.assert_array_equal(found[1], law.limits()[:2])
