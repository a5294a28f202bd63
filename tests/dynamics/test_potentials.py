"""Potentials against SciPy's integrator, finite differences, and the limits of each law."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp
from scipy.special import wrightomega

from jaxgap.dynamics import (
    LaggedPotential,
    LinearPotential,
    PowerPotential,
    SaturatingPotential,
)

POTENTIALS = [
    LinearPotential(0.4, 0.1),
    PowerPotential(0.4, 0.1, 1.0),
    PowerPotential(0.4, 0.1, 1.0001),
    PowerPotential(0.4, 0.1, 1.7),
    PowerPotential(0.4, 0.1, 4.0),
    SaturatingPotential(0.2, 0.1, 0.0),
    SaturatingPotential(0.2, 0.1, 3.0),
    LaggedPotential(0.9, 0.1, 0.0),
    LaggedPotential(0.9, 0.1, 0.95),
]


def relative_speed(potential, y):
    """`-dy/dt` in NumPy, `y` being the part of the excess that remains."""
    match potential:
        case SaturatingPotential(rate=rate, saturation=s):
            return rate * (1 + s) * y / (1 + s * y)
        case LaggedPotential(rate=rate, feedback=feedback):
            return rate * y * (1 - feedback * y)
        case PowerPotential(rate=rate, exponent=exponent):
            return rate * max(y, 0.0) ** exponent
        case _:
            return potential.rate * y


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
@pytest.mark.parametrize("gap_initial", [0.9, -0.6])
def test_gap_agrees_with_scipy(potential, gap_initial):
    ts = np.linspace(0.0, 12.0, 30)
    excess = gap_initial - potential.gap_limit

    def speed(t, gap):
        return -excess * relative_speed(potential, (gap[0] - potential.gap_limit) / excess)

    expected = solve_ivp(speed, (0, 12), [gap_initial], t_eval=ts, rtol=1e-11, atol=1e-13).y[0]
    np.testing.assert_allclose(potential.gap_at(jnp.asarray(ts), gap_initial), expected, rtol=1e-8)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
@pytest.mark.parametrize("gap_initial", [0.9, -0.6])
def test_closing_speed_is_the_slope_of_the_closed_form(potential, gap_initial):
    t = jnp.array(1.3)
    gap, slope = jax.jvp(lambda t: potential.gap_at(t, gap_initial), (t,), (jnp.array(1.0),))
    np.testing.assert_allclose(-potential.closing_speed(gap, gap_initial), slope, rtol=1e-10)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
def test_time_to_inverts_gap_at(potential):
    elapsed = jnp.array(2.5)
    gap = potential.gap_at(elapsed, 0.9)
    np.testing.assert_allclose(potential.time_to(gap, 0.9), elapsed, rtol=1e-9)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
@pytest.mark.parametrize("gap", [1.4, 0.9, 0.3, -0.5])
def test_a_restarted_potential_is_the_same_law(potential, gap):
    """After a jump to a wider or a narrower gap, or past the limit, in the terms of that gap."""
    again = potential.restarted(gap, 0.9)
    for x in (gap, 0.7 * gap):
        before, after = potential.closing_speed(x, 0.9), again.closing_speed(x, gap)
        np.testing.assert_allclose(after, before, rtol=1e-13)


@pytest.mark.parametrize("potential", [POTENTIALS[6], POTENTIALS[8]], ids=repr)
@pytest.mark.parametrize("method", ["gap_at", "closing_speed", "time_to"])
def test_gradients_of_saturation_and_lag(potential, method):
    def fn(potential, x, gap_initial):
        return getattr(potential, method)(x, gap_initial)

    x = 2.0 if method == "gap_at" else 0.5
    args = jax.tree.map(jnp.asarray, (potential, x, 0.9))
    check_grads(jax.jit(fn), args, order=1, modes=["fwd", "rev"], rtol=1e-4)


@pytest.mark.parametrize("saturation", [0.0, 1e-9, 0.3, 30.0, 1e3, 1e6])
def test_saturation_agrees_with_scipys_lambert_function(saturation):
    progress = np.concatenate([np.linspace(0, 5, 11), saturation + np.linspace(-2, 60, 63)])
    progress = progress[progress >= 0]
    rate = 1 / (1 + saturation)
    found = SaturatingPotential(rate, 0.0, saturation).gap_at(jnp.asarray(progress), 1.0)
    if saturation == 0:
        expected = np.exp(-progress)
    else:
        # omega(z) is W(exp(z)), without the overflow.
        expected = wrightomega(np.log(saturation) + saturation - progress) / saturation
    np.testing.assert_allclose(found, expected, rtol=1e-11 * (1 + saturation))


def test_saturation_at_zero_and_without_bound():
    ts = jnp.linspace(0.0, 3.0, 7)
    plain = LinearPotential(0.4, 0.1).gap_at(ts, 0.9)
    np.testing.assert_allclose(
        SaturatingPotential(0.4, 0.1, 0.0).gap_at(ts, 0.9), plain, rtol=1e-14
    )
    straight = 0.9 - 0.8 * np.minimum(0.4 * ts, 1.0)
    flat_out = SaturatingPotential(0.4, 0.1, 1e6).gap_at(ts, 0.9)
    np.testing.assert_allclose(flat_out, straight, atol=2e-5)


def test_parameters_that_are_integers_have_slopes_all_the_same():
    def gap(rate, saturation):
        return SaturatingPotential(rate, 0, saturation).gap_at(1, 2)

    np.testing.assert_allclose(jax.grad(gap)(1.0, 3), jax.grad(gap)(1.0, 3.0), rtol=1e-14)
    np.testing.assert_allclose(gap(1, 3), gap(1.0, 3.0), rtol=1e-14)


def test_lag_at_zero_and_its_time_to_half():
    ts = jnp.linspace(0.0, 3.0, 7)
    plain = LinearPotential(0.4, 0.1).gap_at(ts, 0.9)
    np.testing.assert_allclose(LaggedPotential(0.4, 0.1, 0.0).gap_at(ts, 0.9), plain, rtol=1e-14)
    half = LaggedPotential(0.4, 0.1, 0.99).time_to(0.5, 0.9)
    np.testing.assert_allclose(half, np.log(1 + 1 / 0.01) / 0.4, rtol=1e-12)


def test_no_useful_data_is_a_standstill():
    """An injection can open the gap so far that the share of useful data would be negative."""
    lagged = LaggedPotential(0.4, 0.1, 0.95)
    assert lagged.closing_speed(1.2, 0.9) == 0
    np.testing.assert_array_equal(lagged.restarted(1.2, 0.9).gap_at(jnp.arange(3.0), 1.2), 1.2)


@pytest.mark.parametrize("exponent", [1.0, 1.0 + 1e-9, 1.0001, 1.5, 3.0])
@pytest.mark.parametrize("method", ["gap_at", "closing_speed", "time_to"])
def test_gradients_of_the_power_law(exponent, method):
    """Right on both sides of q = 1, where the formulas are indeterminate."""

    @jax.jit
    def fn(rate, limit, exponent, x, gap_initial):
        return getattr(PowerPotential(rate, limit, exponent), method)(x, gap_initial)

    x = 2.0 if method == "gap_at" else 0.5
    args = tuple(jnp.array(v) for v in (0.4, 0.1, exponent, x, 0.9))
    check_grads(fn, args, order=1, modes=["fwd", "rev"], rtol=1e-4)


def test_power_law_at_one_is_the_linear_law_with_its_gradient():
    ts = jnp.linspace(0.0, 10.0, 7)
    linear = LinearPotential(0.4, 0.1).gap_at(ts, 0.9)
    power = PowerPotential(0.4, 0.1, 1.0).gap_at(ts, 0.9)
    np.testing.assert_allclose(power, linear, rtol=1e-14)
    slope = jax.jacfwd(lambda q: PowerPotential(0.4, 0.1, q).gap_at(ts, 0.9))(1.0)
    # d/dq of (1 + (q - 1) x)^(-1 / (q - 1)) at q = 1 is x^2 / 2 exp(-x).
    np.testing.assert_allclose(slope, 0.8 * (0.4 * ts) ** 2 / 2 * jnp.exp(-0.4 * ts), atol=1e-14)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("gap", [0.1, 0.05, -1.2])
def test_power_law_rests_at_its_limit_and_comes_back_from_past_it(gap, exponent):
    """Round-off or a round may carry a run past its limit. One law drives it from both sides: there
    it is what it is for a run that begins there, and what the linear law is at q = 1.
    """

    def speed(gap, exponent):
        return PowerPotential(0.4, 0.1, exponent).closing_speed(gap, 0.9)

    y = (gap - 0.1) / 0.8
    expected = 0.4 * 0.8 * np.sign(y) * np.abs(y) ** exponent
    np.testing.assert_allclose(speed(jnp.array(gap), exponent), expected, rtol=1e-14)
    # By the gap q k |y|^(q - 1), by the exponent k d sign(y) |y|^q ln|y|, and finite at y = 0.
    slopes = jax.grad(speed, argnums=(0, 1))(jnp.array(gap), exponent)
    by_gap = 0.4 * exponent * np.abs(y) ** (exponent - 1)
    by_exponent = expected * np.log(np.abs(y)) if y else 0.0
    np.testing.assert_allclose(slopes, [by_gap, by_exponent], rtol=1e-13)


@pytest.mark.parametrize("exponent", [1.0, 1.7, 3.0])
def test_a_power_law_past_its_limit_is_the_run_that_begins_there(exponent):
    """Against SciPy, whose field is written for either sign."""
    restarted = PowerPotential(0.4, 0.1, exponent).restarted(-0.7, 0.9)
    ts = np.linspace(0.0, 12.0, 13)

    def field(t, gap):
        y = (gap - 0.1) / 0.8
        return -0.4 * 0.8 * np.sign(y) * np.abs(y) ** exponent

    expected = solve_ivp(field, (0, 12), [-0.7], t_eval=ts, rtol=1e-11, atol=1e-13).y[0]
    np.testing.assert_allclose(restarted.gap_at(jnp.asarray(ts), -0.7), expected, rtol=1e-8)


def test_a_power_law_at_one_is_the_linear_law_even_for_a_run_that_begins_at_its_limit():
    gaps = jnp.linspace(-1.0, 2.0, 13)
    linear, power = LinearPotential(0.4, 0.1), PowerPotential(0.4, 0.1, 1.0)
    for initial in (0.9, 0.1):
        speeds, expected = (
            jax.vmap(jax.value_and_grad(law.closing_speed), in_axes=(0, None))(gaps, initial)
            for law in (power, linear)
        )
        np.testing.assert_allclose(speeds, expected, rtol=1e-15)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
@pytest.mark.parametrize("gap_initial", [0.9, -0.6])
def test_at_infinity_the_gap_is_at_its_limit(potential, gap_initial):
    ts = jnp.array([1.0, jnp.inf, 2.0])
    gaps = potential.gap_at(ts, gap_initial)
    assert gaps[1] == potential.gap_limit
    alone = potential.gap_at(ts[::2], gap_initial)
    np.testing.assert_allclose(gaps[::2], alone, rtol=1e-15)
    # By the time; the last of three finite times is none of its business.
    slopes = jax.grad(lambda ts: potential.gap_at(ts, gap_initial)[::2].sum())(ts)[::2]
    speeds = [-potential.closing_speed(gap, gap_initial) for gap in alone]
    np.testing.assert_allclose(slopes, speeds, rtol=1e-9)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
def test_at_infinity_a_parameter_other_than_the_limit_changes_nothing(potential):
    def gaps(potential, gap_initial):
        return potential.gap_at(jnp.array([1.0, jnp.inf]), gap_initial)

    by_potential, by_initial = jax.jacrev(gaps, argnums=(0, 1))(potential, 0.9)
    assert by_initial[1] == 0
    for field in dataclasses.fields(by_potential):
        at_first, at_last = getattr(by_potential, field.name)
        assert np.isfinite(at_first)
        assert at_last == (1 if field.name == "gap_limit" else 0)


def test_a_gap_that_does_not_close_has_not_moved_at_infinity():
    for potential in (LinearPotential(0.0, 0.1), LaggedPotential(0.0, 0.1, 0.5)):
        assert potential.gap_at(jnp.inf, 0.9) == 0.9


def test_a_gap_at_its_limit_stays():
    potential = PowerPotential(0.4, 0.9, 1.5)
    assert potential.closing_speed(0.9, 0.9) == 0
    np.testing.assert_array_equal(potential.gap_at(jnp.arange(3.0), 0.9), 0.9)


@pytest.mark.parametrize("potential", POTENTIALS, ids=repr)
@pytest.mark.parametrize("gap_initial", [0.9, -0.6, 0.1])
def test_the_remaining_fraction_rebuilds_the_gap(potential, gap_initial):
    """Also for a run that begins at its limit, where the fraction is 0/0 and its slopes finite."""
    gap = 0.1 + 0.3 * (gap_initial - 0.1)
    slopes = jax.grad(potential.remaining, argnums=(0, 1))(gap, gap_initial)
    assert np.isfinite(slopes).all()
    rebuilt = 0.1 + potential.remaining(gap, gap_initial) * (gap_initial - 0.1)
    np.testing.assert_allclose(rebuilt, gap, rtol=1e-14)


@jax.jit
def gap_at(potential, ts, initial):
    return potential.gap_at(ts, initial)


@settings(deadline=None, max_examples=50)
@given(
    rate=st.floats(1e-3, 1e3),
    exponent=st.floats(1.0, 6.0),
    limit=st.floats(-1e3, 1e3),
    initial=st.floats(-1e3, 1e3),
)
@example(rate=1.0, exponent=1.0, limit=3e-309, initial=3e-309)
def test_the_gap_moves_monotonically_towards_its_limit(rate, exponent, limit, initial):
    ts = jnp.concatenate([jnp.zeros(1), jnp.logspace(-4, 4, 20)]) / rate
    gap = np.asarray(PowerPotential(rate, limit, exponent).gap_at(ts, initial))
    # XLA takes subnormal numbers for zero, so that nothing below the smallest normal one is exact.
    slack = 1e-12 * (abs(limit) + abs(initial)) + np.finfo(float).tiny
    assert (np.diff(gap) * np.sign(limit - initial) >= -slack).all()
    assert (np.abs(gap - limit) <= abs(initial - limit) + slack).all()


@settings(deadline=None, max_examples=100)
@given(
    rate=st.floats(1e-3, 1e3),
    saturation=st.floats(0.0, 1e5),
    feedback=st.floats(0.0, 0.999),
    limit=st.floats(-1e3, 1e3),
    initial=st.floats(-1e3, 1e3),
    unit=st.sampled_from([1e-6, 1e3]),
)
def test_saturated_and_lagged_gaps_are_monotone_and_free_of_units(
    rate, saturation, feedback, limit, initial, unit
):
    ts = jnp.concatenate([jnp.zeros(1), jnp.logspace(-4, 4, 20)]) / rate
    slack = 1e-11 * (abs(limit) + abs(initial)) + np.finfo(float).tiny
    for potential in (
        SaturatingPotential(rate, limit, saturation),
        LaggedPotential(rate, limit, feedback),
    ):
        gap = np.asarray(gap_at(potential, ts, initial))
        assert (np.diff(gap) * np.sign(limit - initial) >= -slack).all()
        assert (np.abs(gap - limit) <= abs(initial - limit) + slack).all()
        scaled = eqx.tree_at(
            lambda p: (p.gap_limit, p.rate), potential, (limit * unit, rate / unit)
        )
        again = np.asarray(gap_at(scaled, ts * unit, initial * unit))
        np.testing.assert_allclose(again / unit, gap, rtol=1e-10, atol=10 * slack)
