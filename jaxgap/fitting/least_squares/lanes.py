"""A queue of problems for a fixed number of lanes: batches that do not wait for the slowest.

Iterations on many small problems can run in parallel, but each problem needs a different number of
them: under `jax.vmap` of the whole loop every problem pays for the steps of the slowest one. Here a
fixed number of *lanes* runs in lockstep, each working on one problem. Once an eighth of them has
finished, their results are written out and the lanes take the next problems from the queue: a
straggler at the end keeps only the other lanes idle.
"""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree


class AbstractIteration(eqx.Module):
    """An iteration that any lane can run on the problem of a given index."""

    @abc.abstractmethod
    def begin(self, problem: Int[Array, ""]) -> PyTree:
        """The state before the first step, with all that its steps need to know of the problem."""

    @abc.abstractmethod
    def step(self, state: PyTree) -> PyTree:
        """One step."""

    @abc.abstractmethod
    def finished(self, state: PyTree) -> Bool[Array, ""]:
        """Whether the iteration has ended, as it must eventually for every problem."""

    @abc.abstractmethod
    def result(self, state: PyTree) -> PyTree:
        """What is kept of a finished problem."""


class _Progress(NamedTuple):
    """What each lane works on, the head of the queue, and the results so far."""

    problem: Int[Array, " lanes"]
    state: Any
    next_problem: Int[Array, ""]
    results: Any


def run_lanes(
    iteration: AbstractIteration,
    capacity: int,
    num_problems: Int[Array, ""] | int,
    num_lanes: int,
) -> PyTree:
    """Run an iteration to its end on the problems 0 to `num_problems - 1`.

    **Arguments:**

    - `iteration`: what to run.
    - `capacity`: the leading axis of the results, at least `num_problems`.
    - `num_problems`: how many problems there are; it may be traced.
    - `num_lanes`: how many are stepped together, at least 1.

    **Returns:**

    The results with a leading axis of `capacity`; zeros beyond `num_problems`.
    """
    num_lanes = max(1, min(num_lanes, capacity))
    patience = max(1, num_lanes // 8)
    finished_fn = jax.vmap(iteration.finished)

    def busy(progress: _Progress) -> Bool[Array, " lanes"]:
        return (progress.problem < capacity) & ~finished_fn(progress.state)

    def write(progress: _Progress) -> _Progress:
        # A lane without a problem points past the end of the results: its write is dropped.
        rows = jnp.where(busy(progress), capacity, progress.problem)
        found = jax.vmap(iteration.result)(progress.state)
        results = jax.tree.map(
            lambda all_, some: all_.at[rows].set(some, mode="drop"), progress.results, found
        )
        return progress._replace(results=results)

    def refill(progress: _Progress) -> _Progress:
        free = ~busy(progress)
        claimed = progress.next_problem + jnp.cumsum(free) - 1
        fresh = free & (claimed < num_problems)
        # A free lane that gets no problem keeps its old state and points past the results.
        problem = jnp.where(free, jnp.where(fresh, claimed, capacity), progress.problem)
        begun = jax.vmap(iteration.begin)(jnp.minimum(problem, capacity - 1))
        state = _select(fresh, begun, progress.state)
        return progress._replace(
            problem=problem, state=state, next_problem=progress.next_problem + jnp.sum(fresh)
        )

    def body_fn(progress: _Progress) -> _Progress:
        waiting = progress.next_problem < num_problems
        exchange = waiting & (jnp.sum(~busy(progress)) >= patience)
        progress = jax.lax.cond(exchange, lambda p: refill(write(p)), lambda p: p, progress)
        stepped = jax.vmap(iteration.step)(progress.state)
        return progress._replace(state=_select(busy(progress), stepped, progress.state))

    def cond_fn(progress: _Progress) -> Bool[Array, ""]:
        return (progress.next_problem < num_problems) | jnp.any(busy(progress))

    progress = jax.lax.while_loop(cond_fn, body_fn, _nothing(iteration, capacity, num_lanes))
    return write(progress).results


def _nothing(iteration: AbstractIteration, capacity: int, num_lanes: int) -> _Progress:
    """Lanes without a problem, and empty results."""
    zero = jnp.zeros((), int)
    state = jax.eval_shape(iteration.begin, zero)
    found = jax.eval_shape(iteration.result, state)

    def zeros(num: int, tree: PyTree) -> PyTree:
        return jax.tree.map(lambda leaf: jnp.zeros((num, *leaf.shape), leaf.dtype), tree)

    problem = jnp.full(num_lanes, capacity)
    return _Progress(problem, zeros(num_lanes, state), zero, zeros(capacity, found))


def _select(which: Bool[Array, " lanes"], new: PyTree, old: PyTree) -> PyTree:
    """New states for the lanes in `which`, old ones for the others."""

    def one(new: Array, old: Array) -> Array:
        return jnp.where(jnp.expand_dims(which, range(1, new.ndim)), new, old)

    return jax.tree.map(one, new, old)
