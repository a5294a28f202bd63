"""Corollaries 3.1 and 3.2 against automatic derivatives and the curves themselves."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics import (
    AbstractCoupling,
    AbstractPotential,
    GapDynamics,
    LaggedPotential,
    LinearPotential,
    PowerPotential,
    RankOneCoupling,
    SaturatingPotential,
    conserved_quantity,
    limit_sensitivity,
    time_left,
    time_to_gap_limit,
    time_to_solver_limit,
)

LINEAR = GapDynamics(LinearPotential(0.35, 0.04), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
POWER = GapDynamics(PowerPotential(0.45, 0.01, 1.5), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
GROWING = GapDynamics(LinearPotential(0.35, 0.9), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)


class Other(AbstractPotential):
    gap_limit: float = 0.0

    def closing_speed(self, gap, gap_initial):
        return jnp.tanh(gap)


class Drifting(AbstractCoupling):
    def solver_slope(self, gap):
        return 1 + gap

    def solver_change(self, gap, gap_initial):
        return gap - gap_initial + (gap**2 - gap_initial**2) / 2


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("dynamics", [LINEAR, POWER, GROWING])
def test_sensitivity_is_the_derivative_of_the_limit(dynamics):
    def limit(solver, verifier):
        moved = eqx.tree_at(
            lambda d: (d.solver_initial, d.verifier_initial), dynamics, (solver, verifier)
        )
        return moved.limits().solver

    solver_held, verifier_held = jax.grad(limit, argnums=(1, 0))(0.96, 0.40)
    sensitivity = limit_sensitivity(dynamics)
    # A wider gap is a higher U_s with U_v held, or a lower U_v with U_s held.
    np.testing.assert_allclose(sensitivity.verifier_held, verifier_held, rtol=1e-12)
    np.testing.assert_allclose(sensitivity.solver_held, -solver_held, rtol=1e-12)


@pytest.mark.parametrize("dynamics", [LINEAR, POWER, GROWING])
@pytest.mark.parametrize("epsilon", [0.2, 1e-3])
def test_the_curves_are_within_epsilon_from_that_time_on(dynamics, epsilon):
    limits = dynamics.limits()
    gap_time = time_to_gap_limit(dynamics, epsilon)
    solver, verifier = dynamics.closed_form(gap_time[None])[0]
    np.testing.assert_allclose(abs(solver - verifier - limits.gap), epsilon, rtol=1e-8)
    solver_time = time_to_solver_limit(dynamics, epsilon)
    solver, _ = dynamics.closed_form(solver_time[None])[0]
    np.testing.assert_allclose(abs(solver - limits.solver), epsilon, rtol=1e-8)
    assert solver_time > gap_time


def test_the_solver_arrives_later_by_what_the_ratio_says():
    later = time_to_solver_limit(LINEAR, 0.01) - time_to_gap_limit(LINEAR, 0.01)
    np.testing.assert_allclose(later, -np.log(1 - 0.4) / 0.35, rtol=1e-9)


def test_time_left_never_below_zero():
    end = time_to_solver_limit(LINEAR, 0.01)
    np.testing.assert_allclose(time_left(LINEAR, 0.01, 2.0), end - 2.0)
    assert time_left(LINEAR, 0.01, end + 1) == 0


def test_within_epsilon_from_the_first():
    assert time_to_gap_limit(LINEAR, 10.0) == 0.5
    slope = jax.grad(
        lambda limit: time_to_gap_limit(
            GapDynamics(LinearPotential(0.35, limit), RankOneCoupling(0.4), 0.96, 0.40), 0.1
        )
    )(0.56)
    assert slope == 0


@pytest.mark.parametrize(
    "potential",
    [
        LinearPotential(0.5, 30.0),
        PowerPotential(0.5, 30.0, 1.0),
        PowerPotential(0.5, 30.0, 1.5),
        SaturatingPotential(0.5, 30.0, 2.0),
        LaggedPotential(0.5, 30.0, 0.5),
    ],
    ids=repr,
)
def test_a_small_epsilon_beside_a_large_limit_loses_nothing(potential):
    """The excess over the limit alone decides, which the limit must not round away."""
    law, plain = (
        GapDynamics(
            eqx.tree_at(lambda p: p.gap_limit, potential, limit),
            RankOneCoupling(0.4),
            limit + 50.0,
            45.0,
        )
        for limit in (30.0, 0.0)
    )
    for epsilon in (1e-13, 1e-17, 1e-30):
        found, expected = time_to_gap_limit(law, epsilon), time_to_gap_limit(plain, epsilon)
        assert found == pytest.approx(float(expected), rel=1e-12)
        together = jax.jit(lambda epsilon: time_to_gap_limit(law, epsilon))(epsilon)
        assert together == pytest.approx(float(expected), rel=1e-12)


def test_it_is_precise_in_float32_too():
    with jax.enable_x64(False):
        law = GapDynamics(LinearPotential(0.5, 2.0), RankOneCoupling(0.4), 10.0, 5.0)
        for epsilon in (1e-6, 1e-7, 1e-30):
            expected = np.log(3.0 / epsilon) / 0.5
            assert time_to_gap_limit(law, epsilon) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        limit_sensitivity,
        lambda d: time_to_solver_limit(d, 0.1),
        lambda d: time_left(d, 0.1, 0.0),
        lambda d: conserved_quantity(d, jnp.zeros((3, 2))),
    ],
)
def test_another_coupling_is_refused(function):
    dynamics = eqx.tree_at(lambda d: d.coupling, LINEAR, Drifting())
    with pytest.raises(ValueError, match="must be a RankOneCoupling, got Drifting"):
        function(dynamics)


def test_a_potential_without_closed_form_is_refused():
    dynamics = GapDynamics(Other(), RankOneCoupling(0.4), 0.9, 0.4)
    with pytest.raises(ValueError, match="potential must have a closed form, got Other"):
        time_to_gap_limit(dynamics, 0.1)
