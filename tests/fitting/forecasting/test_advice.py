"""Rounds left and advice from draws whose limits are known."""

import numpy as np
import pytest

from jaxgap.fitting.forecasting.advice import advise, rounds_left, times_ahead
from jaxgap.fitting.forecasting.futures import Futures
from jaxgap.fitting.forecasting.observations import Observations

SEEN = Observations.of_positive(np.arange(5.0), 2 + 0.1 ** np.arange(5.0), None, "solver")
TS = times_ahead(SEEN.ts, 1.0)


def known_futures(curves, limits):
    """Of laws alone, without a residual."""
    num = len(curves)
    return Futures(
        logs=np.log(curves),
        trends=np.log(curves),
        limits=np.log(limits),
        noise_levels=np.ones(num),
        lawful=np.ones(num, bool),
        weights={"power": 1.0, "random_walk": 0.0},
        turned=0.0,
        num_effective=float(num),
    )


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
    return advise(SEEN, futures(walk), TS, round_length=1.0, epsilon=0.1, cost=cost, level=0.9)


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


@pytest.mark.parametrize("kind", ["accuracy", "uncertainty"])
@pytest.mark.parametrize("cost", [None, 0.05])
def test_an_error_rate_that_halves_is_worth_a_round_whichever_way_it_is_written(kind, cost):
    if kind == "accuracy":
        seen = Observations.of_accuracies(SEEN.ts, np.full(5, 0.6), 100, None)
    else:
        seen = Observations.of_positive(SEEN.ts, np.full(5, 0.4), None, "solver")
    curves = np.tile(0.1 + 0.3 * 0.5 ** (TS - TS[0]), (10, 1))
    draws = known_futures(curves, np.full(10, 0.1))
    found = advise(seen, draws, TS, round_length=1.0, epsilon=0.1, cost=cost, level=0.9)
    assert (found.verdict, found.probability) == ("continue", 1.0)
    assert found.next_gain == pytest.approx(0.15)
    assert found.next_gain_interval == pytest.approx((0.15, 0.15))


@pytest.mark.parametrize("round_length", [0.3, 1.0, 2.5, 50.0, 1000.0])
def test_how_long_a_round_is_does_not_change_when_the_limit_is_near(round_length):
    ts = times_ahead(SEEN.ts, round_length)
    draws = known_futures(np.tile(1 + 0.5 ** (ts - ts[0]), (10, 1)), np.ones(10))
    left = rounds_left(SEEN, draws, ts, 0.1, 0.9)
    assert left.median == pytest.approx(np.log2(10), rel=1e-6)
    found = advise(SEEN, draws, ts, round_length=round_length, epsilon=0.1, cost=None, level=0.9)
    assert found.next_gain == pytest.approx(1 - 0.5**round_length)


def test_an_interval_of_four_fifths_leaves_a_tenth_out_at_either_end():
    rates = np.linspace(0.1, 1.09, 100)
    draws = known_futures(1 + np.exp(-rates[:, None] * (TS - TS[0])), np.ones(100))
    left = rounds_left(SEEN, draws, TS, 0.1, 0.8).interval
    found = advise(SEEN, draws, TS, round_length=1.0, epsilon=0.1, cost=None, level=0.8)
    times, gains = np.log(10) / rates, -np.expm1(-rates)
    for values, (low, high) in ((times, left), (gains, found.next_gain_interval)):
        # An end may be one of the values, but for rounding.
        outside = np.mean(values < low - 1e-6), np.mean(values > high + 1e-6)
        assert outside == pytest.approx((0.1, 0.1), abs=0.02)


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(0.9, "continue"), (0.7, "cannot tell"), (0.3, "cannot tell"), (0.1, "stop")],
)
def test_advice_is_given_at_odds_of_four_to_one(share, verdict):
    limits = np.where(np.arange(10) < 10 * share, 1.0, 2.0)
    curves = limits[:, None] + (2 - limits)[:, None] * 0.5 ** (TS - TS[0])
    draws = known_futures(curves, limits)
    found = advise(SEEN, draws, TS, round_length=1.0, epsilon=0.1, cost=None, level=0.9)
    assert (found.probability, found.verdict) == (pytest.approx(share), verdict)
