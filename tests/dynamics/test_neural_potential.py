"""The neural potential: monotone whatever its weights, the right sign, and its special cases."""

from decimal import Decimal, localcontext

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp
from scipy.special import expit

from jaxgap.dynamics import GapDynamics, NeuralPotential, RankOneCoupling, simulate

POTENTIAL = NeuralPotential(
    0.5, 0.1, np.array([0.3, 0.7]), np.array([3.0, 6.0]), np.array([0.1, 1.1])
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def speed(potential, gap, gap_initial):
    """The definition, by SciPy's logistic function."""
    delta = gap_initial - potential.gap_limit
    x = (gap - potential.gap_limit) / delta
    a, c = potential.steepness, potential.centres
    units = (expit(a * (x - c)) - expit(-a * c)) / (expit(a * (1 - c)) - expit(-a * c))
    return potential.rate * delta * np.sum(potential.weights * units)


@pytest.mark.parametrize("gap_initial", [0.9, -0.6])
def test_speed_is_the_network(gap_initial):
    for gap in np.linspace(-1.0, 1.5, 11):
        expected = speed(POTENTIAL, gap, gap_initial)
        np.testing.assert_allclose(
            POTENTIAL.closing_speed(gap, gap_initial), expected, rtol=1e-12, atol=1e-15
        )


def test_the_gap_agrees_with_scipy():
    ts = np.linspace(0.0, 12.0, 7)
    ys = simulate(GapDynamics(POTENTIAL, RankOneCoupling(0.4), 1.5, 0.6), ts).ys
    expected = solve_ivp(
        lambda t, gap: [-speed(POTENTIAL, gap[0], 0.9)], (0, 12), [0.9], t_eval=ts, rtol=1e-11
    ).y[0]
    np.testing.assert_allclose(ys[:, 0] - ys[:, 1], expected, atol=1e-5)


def test_units_without_steepness_are_straight_lines():
    flat = eqx.tree_at(lambda p: p.steepness, POTENTIAL, np.zeros(2))
    np.testing.assert_allclose(flat.closing_speed(0.4, 0.9), 0.5 * 0.3, rtol=1e-14)


@pytest.mark.parametrize("steepness", [0.0, 4.0])
def test_gradients(steepness):
    """At the limit, a centre and the first gap as well, where magnitudes have a corner."""
    potential = eqx.tree_at(lambda p: p.steepness, POTENTIAL, np.full(2, steepness))

    @jax.jit
    def fn(potential, gap, gap_initial):
        return potential.closing_speed(gap, gap_initial)

    for gap in (0.1, 0.1 + 0.1 * 0.8, 0.4, 0.9):
        args = jax.tree.map(jnp.asarray, (potential, gap, 0.9))
        check_grads(fn, args, order=2, modes=["fwd", "rev"], rtol=1e-5)


STEEP = [
    (100.0, 0.5, jnp.float32),
    (800.0, 0.5, jnp.float64),
    (3000.0, 1.2, jnp.float64),
    (3000.0, -0.2, jnp.float64),
]


@jax.jit
def steep_speeds(xs, steepness, centre):
    def speed(x, *unit):
        steepness, centre = (each[None] for each in unit)
        potential = NeuralPotential(1.0, 0.0, jnp.ones_like(centre), steepness, centre)
        return potential.closing_speed(x, 1.0)

    with_slopes = jax.value_and_grad(speed, argnums=(0, 1, 2))
    return jax.vmap(with_slopes, (0, None, None))(xs, steepness, centre)


@pytest.mark.parametrize(("steepness", "centre", "dtype"), STEEP, ids=repr)
def test_steep_units_neither_overflow_nor_vanish(steepness, centre, dtype):
    """Against as many digits as it takes: the difference of two sigmoids may have none left."""
    xs = [-0.1, 0.0, 0.25, 0.5, 0.75, 1.0, 1.1]
    found, slopes = steep_speeds(*(jnp.asarray(each, dtype) for each in (xs, steepness, centre)))
    expected = [unit_in_decimals(x, steepness, centre) for x in xs]
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(
        found, expected, rtol=2 * steepness * eps, atol=float(jnp.finfo(dtype).tiny)
    )
    assert np.isfinite(np.asarray(slopes)).all()


def unit_in_decimals(x, steepness, centre):
    """The definition in 2000 digits."""
    with localcontext(prec=2000, Emin=-99999, Emax=99999):
        x, a, c = Decimal(x), Decimal(steepness), Decimal(centre)
        at, at_limit, at_first = (
            1 / (1 + (-a * (y - c)).exp()) for y in (x, Decimal(0), Decimal(1))
        )
        return float((at - at_limit) / (at_first - at_limit))


@jax.jit
def speeds(potential, gaps, gap_initial):
    return jax.vmap(lambda gap: potential.closing_speed(gap, gap_initial))(gaps)


unit_lists = st.lists(st.floats(0.0, 12.0), min_size=2, max_size=2)


@settings(deadline=None, max_examples=100)
@given(
    steepness=unit_lists,
    centres=st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=2),
    weight=st.floats(0.0, 1.0),
    initial=st.floats(0.1, 10.0) | st.floats(-10.0, -0.1),
    unit=st.sampled_from([1e-6, 1e3]),
)
def test_it_is_monotone_zero_at_the_limit_and_free_of_units(
    steepness, centres, weight, initial, unit
):
    arrays = [jnp.asarray(each) for each in ([1 - weight, weight], steepness, centres)]
    gaps = jnp.linspace(-1.5, 1.5, 31) * initial + 0.3
    found = np.asarray(speeds(NeuralPotential(0.5, 0.3, *arrays), gaps, initial + 0.3))
    assert (np.diff(found) * np.sign(initial) >= 0).all()
    assert (found[:15] * initial < 0).all()
    assert (found[16:] * initial > 0).all()
    np.testing.assert_allclose(found[15], 0.0, atol=1e-14 * abs(initial))
    # At the initial gap the relative rate is the rate.
    np.testing.assert_allclose(found[25], 0.5 * initial, rtol=1e-10)
    scaled = speeds(NeuralPotential(0.5, 0.3 * unit, *arrays), gaps * unit, (initial + 0.3) * unit)
    np.testing.assert_allclose(scaled, found * unit, rtol=1e-9, atol=1e-13 * abs(initial) * unit)
