"""Rounds left and advice from draws whose limits are known."""

import numpy as np
import pytest

from jaxgap.fitting.forecasting.advice import advise, rounds_left, times_ahead
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.posterior import Futures

SEEN = Observations.of_positive(np.arange(5.0), np.full(5, 2.0), None, "solver")
TS = times_ahead(SEEN.ts, 1.0)


def futures(walk):
    """Of ten draws `walk` stay where they are; the others halve their way to 1 in each round."""
    lawful = np.arange(10) >= 10 * walk
    way = np.where(lawful, 1.0, 0.0)[:, None] * 0.5 ** (TS - TS[0])
    curves = np.where(lawful, 1.0, 2.0)[:, None] + way
    return Futures(
        logs=np.log(curves),
        trends=np.log(curves),
        limits=np.log(np.where(lawful, 1.0, 2.0)),
        noise_levels=np.ones(10),
        lawful=lawful,
        weights={"power": 1 - walk, "random_walk": walk},
        turned=0.0,
        num_effective=10.0,
    )


def advice(walk, cost=None):
    return advise(SEEN, futures(walk), round_length=1.0, epsilon=0.1, cost=cost, level=0.9)


@pytest.mark.parametrize("walk", [0.0, 0.2, 0.5])
def test_draws_without_a_limit_do_not_count_as_there(walk):
    left = rounds_left(SEEN, futures(walk), TS, 0.1, 0.9)
    assert left.median == pytest.approx(np.log2(10), rel=1e-6)
    assert left.interval == pytest.approx((left.median, left.median))
    assert advice(walk).verdict == "continue"
    assert advice(walk).probability == 1.0


@pytest.mark.parametrize("walk", [0.6, 1.0])
def test_where_the_walk_outweighs_all_laws_nothing_is_said_of_limits(walk):
    left = rounds_left(SEEN, futures(walk), TS, 0.1, 0.9)
    assert (left.median, left.interval) == (None, (None, None))
    assert f"with probability {walk:.0%} the run is a random walk" in left.reason
    assert advice(walk).verdict == "cannot tell"
    assert advice(walk).probability is None
    assert advice(walk, cost=0.3).probability == pytest.approx(1 - walk)
