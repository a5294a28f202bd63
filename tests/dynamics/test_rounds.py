"""Rounds: their exact relation to the linear law, their order, and when they are stable."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgap.dynamics import (
    DriftingRatioCoupling,
    GapDynamics,
    GeneralLinearDynamics,
    LaggedPotential,
    LinearPotential,
    PowerPotential,
    RankOneCoupling,
    RiseThenFallDynamics,
    SaturatingPotential,
    conserved_quantity,
    discrete_rate,
    round_multiplier,
    simulate_rounds,
)

START = {"solver_initial": 0.96, "verifier_initial": 0.40, "t0": 0.5}
CURVED = {
    "power": GapDynamics(PowerPotential(0.45, 0.01, 1.5), RankOneCoupling(0.4), **START),
    "saturating": GapDynamics(SaturatingPotential(0.2, 0.01, 4.0), RankOneCoupling(0.4), **START),
    "lagged": GapDynamics(LaggedPotential(0.9, 0.01, 0.9), RankOneCoupling(0.4), **START),
    "drifting": GapDynamics(LinearPotential(0.4, 0.04), DriftingRatioCoupling(0.6, -0.5), **START),
    "rise then fall": RiseThenFallDynamics(RankOneCoupling(0.4), 0.9, 0.12, 0.04, 0.7, **START),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def linear(rate, ratio=0.4):
    return GapDynamics(LinearPotential(rate, 0.04), RankOneCoupling(ratio), **START)


@pytest.mark.parametrize("duration", [0.5, 1.0, 3.0])
def test_rounds_of_the_linear_law_are_the_continuous_law_exactly(duration):
    ends = 0.5 + duration * jnp.arange(9)
    rounds = simulate_rounds(linear(discrete_rate(0.35, duration)), 8, duration)
    np.testing.assert_allclose(rounds, linear(0.35).closed_form(ends), rtol=1e-12)


def test_rounds_of_the_general_linear_law_are_exact_too():
    def law(fast, slow):
        modes = jnp.array([0.5, 0.1]), jnp.array([0.3, 0.25])
        return GeneralLinearDynamics(fast, slow, *modes, **START)

    rounds = simulate_rounds(law(discrete_rate(0.8), discrete_rate(0.15)), 8)
    expected = law(0.8, 0.15).closed_form(0.5 + jnp.arange(9))
    np.testing.assert_allclose(rounds, expected, rtol=1e-12)


@pytest.mark.parametrize("dynamics", CURVED.values(), ids=CURVED)
def test_shorter_rounds_approach_continuous_time_at_first_order(dynamics):
    truth = dynamics.closed_form(jnp.array([4.5]))[0]
    errors = [
        np.abs(simulate_rounds(dynamics, 4 * parts, 1 / parts)[-1] - truth).max()
        for parts in (16, 32)
    ]
    assert 1.8 < errors[0] / errors[1] < 2.2


def test_rounds_conserve_what_continuous_time_conserves():
    kept = conserved_quantity(CURVED["power"], simulate_rounds(CURVED["power"], 20))
    np.testing.assert_allclose(kept, kept[0], atol=1e-15)


@pytest.mark.parametrize(
    ("rate", "multiplier"), [(0.35, 0.65), (1.0, 0.0), (1.5, -0.5), (2.0, -1.0), (2.5, -1.5)]
)
def test_the_multiplier_says_what_rounds_do(rate, multiplier):
    law = linear(rate)
    np.testing.assert_allclose(round_multiplier(law, 0.04), multiplier, atol=1e-15)
    excess = np.asarray(simulate_rounds(law, 30)) @ np.array([1.0, -1.0]) - 0.04
    np.testing.assert_allclose(excess, 0.52 * multiplier ** np.arange(31.0), atol=1e-9)


@pytest.mark.parametrize("rate", [0.35, 1.5, 2.5])
@pytest.mark.parametrize(
    "potential",
    [
        lambda rate: PowerPotential(rate, 0.04, 1.0),
        lambda rate: SaturatingPotential(rate, 0.04, 0.0),
        lambda rate: LaggedPotential(rate, 0.04, 0.0),
    ],
    ids=["power", "saturating", "lagged"],
)
def test_a_law_that_is_the_linear_one_moves_in_rounds_as_it_does(potential, rate):
    law = GapDynamics(potential(rate), RankOneCoupling(0.4), **START)
    rounds, expected = (simulate_rounds(each, 12) for each in (law, linear(rate)))
    np.testing.assert_allclose(rounds, expected, rtol=1e-12)
    np.testing.assert_allclose(round_multiplier(law, 0.04), 1 - rate, atol=1e-15)


@pytest.mark.parametrize("exponent", [1.0, 1.5, 3.0])
def test_rounds_of_a_power_law_that_are_too_long_swing_about_its_limit(exponent):
    law = GapDynamics(PowerPotential(1.5, 0.0, exponent), RankOneCoupling(0.5), 4.0, 2.0)
    gap = [2.0]
    for _ in range(9):
        gap.append(gap[-1] - 1.5 * 2 * np.sign(gap[-1]) * abs(gap[-1] / 2) ** exponent)
    found = np.asarray(simulate_rounds(law, 9)) @ np.array([1.0, -1.0])
    np.testing.assert_allclose(found, gap, rtol=1e-12)
    assert gap[1] == -1
    assert gap[2] > gap[1]


def test_a_stable_limit_attracts_in_swings_and_an_unstable_one_does_not():
    """Beyond 2 the law of continuous time would still close the gap."""
    saturating = CURVED["saturating"]
    late_rate = 0.2 * 5
    np.testing.assert_allclose(round_multiplier(saturating, 0.01, 1.0), 1 - late_rate, rtol=1e-12)
    for duration, settles in ((0.9, True), (1.8, True), (2.4, False)):
        gap = np.asarray(simulate_rounds(saturating, 400, duration)) @ np.array([1.0, -1.0]) - 0.01
        stable = abs(float(round_multiplier(saturating, 0.01, duration))) < 1
        assert stable == settles
        assert (abs(gap[-1]) < 1e-8) == settles
        assert (gap >= 0).all() == (duration < 1)


def test_gradients_and_batches():
    dynamics = jax.tree.map(jnp.asarray, CURVED["lagged"])
    check_grads(
        jax.jit(lambda d: (simulate_rounds(d, 6, 0.7), round_multiplier(d, 0.3))),
        (dynamics,),
        order=1,
        modes=["fwd", "rev"],
        rtol=1e-5,
    )
    rates = jnp.array([0.2, 0.4])
    batched = jax.vmap(lambda rate: simulate_rounds(linear(rate), 5))(rates)
    np.testing.assert_allclose(batched[1], simulate_rounds(linear(0.4), 5), rtol=1e-14)


def test_rounds_promote_no_types():
    with jax.numpy_dtype_promotion("strict"):
        strict = simulate_rounds(linear(0.4), 3, 0.5)
    np.testing.assert_allclose(strict, simulate_rounds(linear(0.4), 3, 0.5), rtol=1e-15)


def test_no_rounds_are_the_beginning():
    np.testing.assert_array_equal(simulate_rounds(linear(0.4), 0), [[0.96, 0.40]])


def test_rates_and_their_rounds():
    rates = jnp.array([0.0, 0.1, 1.0, 50.0])
    rounds = discrete_rate(rates, 2.0)
    assert (rounds < 0.5 + 1e-12).all()
    np.testing.assert_allclose(-np.log1p(-2.0 * rounds[:3]) / 2.0, rates[:3], atol=1e-14)
    assert eqx.filter_jit(discrete_rate)(0.0) == 0


def test_a_negative_number_of_rounds_is_refused():
    law = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    assert simulate_rounds(law, 0).tolist() == [[4.0, 2.0]]
    with pytest.raises(ValueError, match="num_rounds must be at least 0, got -3"):
        simulate_rounds(law, -3)


def test_part_of_a_round_is_refused():
    law = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    with pytest.raises(TypeError, match="'float' object cannot be interpreted as an integer"):
        simulate_rounds(law, 2.5)


def test_a_law_that_the_gap_does_not_drive_has_no_multiplier():
    law = RiseThenFallDynamics(RankOneCoupling(0.0), 1.0, 0.1, 0.0, 0.5, 1.0, 0.0)
    with pytest.raises(ValueError, match="must be a GapDynamics, got RiseThenFallDynamics"):
        round_multiplier(law, 0.0)
