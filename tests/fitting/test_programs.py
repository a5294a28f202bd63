"""A fit with other numbers is no other program: to compile one takes seconds, to run it none."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import Bounded, GivenScale, Held, LinearLaw, LogNormal, StudentT, fit
from jaxgap.trajectory import Trajectory

TS = np.arange(10.0)
RUN = Trajectory(TS, 1 + 2 * np.exp(-0.4 * TS), 0.5 + np.exp(-0.4 * TS))


@contextlib.contextmanager
def no_compilation():
    compiled = []

    def note(event, *_, **__):
        compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert not [event for event in compiled if "backend_compile" in event]


def restricted(number):
    return fit(
        LinearLaw(),
        RUN,
        noise=StudentT(dof=4 + number),
        constraints={"gap_limit": Bounded(number, 0.9), "ratio": Held(0.5 + number)},
        priors={"rate": LogNormal(0.4, 1 + number)},
    )


@pytest.mark.parametrize(
    "fitted",
    [
        restricted,
        # Arrays of JAX, as a program of one's own may have found them.
        lambda number: fit(LinearLaw(), RUN, noise=GivenScale(jnp.asarray(number), 0.1)),
    ],
)
def test_other_numbers_compile_nothing(fitted):
    first = fitted(0.1)
    with no_compilation():
        second = fitted(0.2)
    # They are not the first program's numbers either.
    assert first.source.raw.cost != second.source.raw.cost


def test_the_time_left_is_searched_for_by_the_program_of_the_intervals():
    result = fit(LinearLaw(), RUN)
    with no_compilation():
        assert result.time_left(0.01).estimate > result.time_left(0.02).estimate
