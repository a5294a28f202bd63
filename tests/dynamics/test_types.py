"""Numbers handed to compiled functions: another value is no other program."""

import jax
import jax.numpy as jnp
import pytest

from jaxgap.dynamics import (
    GapDynamics,
    LinearPotential,
    RankOneCoupling,
    SaturatingPotential,
    simulate_rounds,
)
from jaxgap.dynamics.external_data import ExternalData
from jaxgap.dynamics.injected_dynamics import InjectedDynamics
from jaxgap.dynamics.injected_simulation import simulate_injected
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
    ],
    ids=["simulate", "rounds", "injected simulation", "injected form", "validity", "saturating"],
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
