"""How often rounds are drawn afresh, and with which keys."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs.retries import Retries

STATE = LoopState({}, (), jax.random.key(0), 1)


def data(state):
    return tuple(jax.random.key_data(state.key).tolist())


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_round_may_fail_so_often_and_once_more(limit):
    retries = Retries(limit)
    for _ in range(limit):
        retries.count_failure(4)
        assert not retries.are_spent
    retries.count_failure(4)
    assert retries.are_spent


@given(st.lists(st.integers(0, 6), min_size=1))
def test_failures_count_since_the_run_last_got_further(reached):
    retries = Retries(2)
    for number in reached:
        retries.count_failure(number)
    furthest = reached.index(max(reached))
    assert retries.num_failures == len(reached) - furthest


def test_each_attempt_draws_anew_and_the_same_after_an_interruption():
    first, second = Retries(2), Retries(2)
    drawn = [data(first.redrawn(STATE)) for _ in range(3)]
    assert len({data(STATE), *drawn}) == 4
    assert [data(second.redrawn(STATE)) for _ in range(3)] == drawn
    second.restart_keys()
    assert data(second.redrawn(STATE)) == drawn[0]
