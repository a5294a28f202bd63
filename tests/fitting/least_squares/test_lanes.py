"""The queue of lanes on an iteration whose lengths are known: countdowns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.least_squares.lanes import AbstractIteration, run_lanes


class Countdown(AbstractIteration):
    """FitProblem `i` takes `lengths[i]` steps; it keeps how many it took."""

    lengths: jax.Array

    def begin(self, problem):
        return problem, self.lengths[problem], jnp.zeros((), int)

    def step(self, state):
        problem, left, taken = state
        return problem, left - 1, taken + 1

    def finished(self, state):
        return state[1] <= 0

    def result(self, state):
        return {"taken": state[2], "problem": state[0]}


@pytest.mark.parametrize("num_lanes", [1, 4, 16, 100])
def test_every_problem_is_run_to_its_own_end(num_lanes):
    lengths = jnp.array(np.random.default_rng(0).integers(0, 50, 37))
    found = run_lanes(Countdown(lengths), 37, 37, num_lanes)
    np.testing.assert_array_equal(found["taken"], lengths)
    np.testing.assert_array_equal(found["problem"], np.arange(37))


def test_problems_beyond_the_number_are_left_alone():
    found = jax.jit(lambda n: run_lanes(Countdown(jnp.full(10, 3)), 10, n, 4))(6)
    assert found["taken"].tolist() == [3] * 6 + [0] * 4
    assert run_lanes(Countdown(jnp.full(10, 3)), 10, 0, 4)["taken"].tolist() == [0] * 10


def test_nobody_waits_for_the_slowest(monkeypatch):
    """A straggler among a hundred short problems costs its own steps and hardly more."""
    turns = []
    while_loop = jax.lax.while_loop

    def counting(cond_fn, body_fn, start):
        def body(carry):
            return body_fn(carry[0]), carry[1] + 1

        last, count = while_loop(lambda carry: cond_fn(carry[0]), body, (start, 0))
        turns.append(int(count))
        return last

    monkeypatch.setattr(jax.lax, "while_loop", counting)
    lengths = jnp.full(100, 10).at[3].set(120)
    found = run_lanes(Countdown(lengths), 100, 100, 10)
    assert found["taken"][3] == 120
    # Ten lanes side by side from batch to batch would take 120 + 9 * 10 turns.
    assert turns[0] <= 140
