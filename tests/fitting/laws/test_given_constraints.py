"""Constraints that cannot be met are refused, with the reason; a tie is the same law each time."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting import Bounded, Held, LinearLaw, Normal, Tied, fit
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.laws.given_constraints import constrained
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)
RUN = Trajectory(TS, 1.2 + 0.8 * np.exp(-0.4 * TS), 0.9 + 0.3 * np.exp(-0.4 * TS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"constraints": {"speed": Held(1.0)}}, "no parameter 'speed'; it has rate, ratio"),
        ({"priors": {"speed": Normal(1.0, 1.0)}}, "priors: the law has no parameter 'speed'"),
        (
            {"constraints": {"rate": Held(0.4)}, "priors": {"rate": Normal(0.3, 0.1)}},
            "priors: rate is held, so a prior on it has no effect",
        ),
        ({"constraints": {"rate": Held(-1.0)}}, "rate cannot be held at -1"),
        ({"constraints": {"ratio": Held(1.0)}}, r"held at 1: it must be in \[0, 0.999\]"),
        ({"constraints": {"ratio": Bounded(0.5, 0.2)}}, "leave no room for ratio"),
        ({"constraints": {"ratio": Bounded(1.5, 2.0)}}, "leave no room for ratio"),
        (
            {"constraints": {"solver_initial": Held(-1e200)}},
            r"-1e\+200 for solver_initial is beyond",
        ),
        (
            {"constraints": {"rate": Bounded(0.0, 1e60)}},
            r"1e\+60 for rate is beyond 1e\+50, too large",
        ),
        ({"constraints": {"ratio": Tied("ratio")}}, "ratio cannot be tied to 'ratio'"),
        ({"constraints": {"ratio": Tied("x")}}, "ratio cannot be tied to 'x'"),
        (
            {"constraints": {"ratio": Tied("rate"), "rate": Tied("gap_limit")}},
            "ratio is tied to rate, which is tied itself",
        ),
        (
            {"constraints": {"ratio": Tied("rate", jnp.negative), "rate": Held(0.4)}},
            r"ratio is tied to rate, which makes it -0.4: it must be in \[0, 0.999\]",
        ),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(LinearLaw(), RUN, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"constraints": {"gap_limit": Held(0.0)}},
        {"constraints": {"ratio": Bounded(0.1, 0.5)}},
        {"constraints": {"solver_initial": Tied("verifier_initial")}},
        {"priors": {"gap_limit": Normal(0.0, 1.0)}},
    ],
)
def test_nothing_can_be_asked_of_a_verifier_that_is_not_there(arguments):
    with pytest.raises(InputError, match="needs a verifier, and the trajectory has none"):
        fit(LinearLaw(), Trajectory(TS, RUN.solver), **arguments)


def half(value):
    return 0.5 * value


def test_a_tie_between_accuracies_is_the_same_law_every_time():
    curves_of_run = curves_of(RUN, 16)
    tie = {"verifier_initial": Tied("solver_initial", half)}
    first, second = (constrained(LinearLaw(), tie, curves_of_run, "accuracy") for _ in range(2))
    assert first == second
    assert hash(first.constraints) == hash(second.constraints)
    assert first.constraints[4].fn(0.2) == pytest.approx(1 - half(1 - 0.2))
