"""Numbers handed to compiled functions: another value is no other program."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from jaxgap.dynamics import (
    AbstractPotential,
    ExternalData,
    GapDynamics,
    InjectedDynamics,
    LinearPotential,
    RankOneCoupling,
    SaturatingPotential,
    simulate_injected,
    simulate_rounds,
)
from jaxgap.dynamics.simulation import simulate
from jaxgap.dynamics.types import as_floats


def law(rate):
    return GapDynamics(LinearPotential(rate, 0.0), RankOneCoupling(0.5), 5.0, 3.0)


def saturating(rate):
    return GapDynamics(SaturatingPotential(rate, 0.0, 1.0), RankOneCoupling(0.5), 5.0, 3.0)


def injections(strength):
    return ExternalData(jnp.array([1.0]), jnp.ones(1), strength)


TS = jnp.arange(4.0)


@pytest.mark.parametrize(
    "evaluated",
    [
        lambda number: simulate(law(number), TS).ys,
        lambda number: simulate_rounds(law(number), 3, number),
        lambda number: simulate_injected(law(number), injections(number), TS),
        lambda number: InjectedDynamics(law(number), injections(number)).closed_form(TS),
        lambda number: InjectedDynamics(law(number), injections(number)).validity().gap,
        lambda number: saturating(number).closed_form(TS),
        lambda number: InjectedDynamics(law(number), injections(number)).unchecked_limits(),
    ],
    ids=[
        "simulate",
        "rounds",
        "injected simulation",
        "injected form",
        "validity",
        "saturating",
        "unchecked limits",
    ],
)
def test_other_numbers_compile_nothing(evaluated):
    compiled = []
    note = compiled.append
    with jax.enable_x64(True):
        evaluated(0.3)
        jax.monitoring.register_event_duration_secs_listener(lambda event, *_, **__: note(event))
        evaluated(0.3)
        evaluated(0.4)
        jax.monitoring.clear_event_listeners()
    assert not [event for event in compiled if "backend_compile" in event]


def test_a_float_becomes_an_array_of_the_precision_at_hand():
    assert as_floats({"rate": 0.5})["rate"].dtype == jnp.result_type(float)
    with jax.enable_x64(True):
        assert as_floats((1, 2.0))[0].dtype == jnp.float64


def test_what_is_no_number_stays_what_it_is():
    leaves = (jax.nn.relu, jax.random.key(0), "name", True, jnp.array([True]), 1j)
    for leaf, found in zip(leaves, as_floats(leaves), strict=True):
        assert found is leaf
    for number in (np.float32(2.0), np.arange(2), jnp.arange(2), 3):
        assert as_floats(number).dtype == jnp.result_type(float)


class NetworkPotential(AbstractPotential):
    """A speed of anybody's own: its network has the activation function as a leaf."""

    gap_limit: float
    network: eqx.nn.MLP

    def closing_speed(self, gap, gap_initial):
        return (gap - self.gap_limit) * jax.nn.softplus(self.network(gap[None])[0])


@pytest.fixture(name="network_law")
def _network_law():
    with jax.enable_x64(True):
        network = eqx.nn.MLP(1, 1, 4, 1, activation=jnp.tanh, key=jax.random.key(0))
        yield GapDynamics(NetworkPotential(0.1, network), RankOneCoupling(0.5), 5.0, 3.0)


def field_of(law):
    """Its motion, with the network written out in NumPy."""
    first, second = law.potential.network.layers

    def field(t, y):
        gap = y[0] - y[1]
        hidden = np.tanh(np.asarray(first.weight)[:, 0] * gap + np.asarray(first.bias))
        out = np.asarray(second.weight)[0] @ hidden + np.asarray(second.bias)[0]
        speed = (gap - law.potential.gap_limit) * np.log1p(np.exp(out))
        return [-2 * speed, -speed]

    return field


def test_a_potential_that_holds_a_network_is_simulated(network_law):
    field, ts = field_of(network_law), jnp.array([0.0, 1.0])

    def at_the_end(*start):
        return solve_ivp(field, (0, 1), start, rtol=1e-11, atol=1e-13).y[:, -1]

    found = simulate(network_law, ts).ys
    np.testing.assert_allclose(found, [[5.0, 3.0], at_the_end(5.0, 3.0)], rtol=1e-7)
    one_round = np.array([5.0, 3.0]) + 0.1 * np.array(field(0.0, [5.0, 3.0]))
    np.testing.assert_allclose(simulate_rounds(network_law, 1, 0.1)[1], one_round, rtol=1e-12)
    at_once = ExternalData(jnp.zeros(1), jnp.ones(1), 0.5)
    found = simulate_injected(network_law, at_once, ts)
    np.testing.assert_allclose(found, [[5.0, 3.0], at_the_end(5.0, 2.0)], rtol=1e-7)


def test_its_weights_have_slopes(network_law):
    def solver(law):
        return simulate(law, TS).ys[-1, 0]

    def bias(law):
        return law.potential.network.layers[1].bias

    slope = bias(eqx.filter_grad(solver)(network_law))
    nearby = [eqx.tree_at(bias, network_law, bias(network_law) + h) for h in (1e-5, -1e-5)]
    differences = (solver(nearby[0]) - solver(nearby[1])) / 2e-5
    np.testing.assert_allclose(slope, [differences], rtol=1e-6)
