"""Least squares as an iteration: the interface of minimisers.

A fit solves the same small problem (five parameters, forty residuals) thousands of times: from
every start, at every point of a likelihood profile, for every curve. So a minimiser is not a
function that runs to completion but a step that a lane of a batch takes
(:mod:`jaxgap.fitting.least_squares.lanes`), and a search that consists of many solves starts the
next one in the same lane.
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int, PyTree

from jaxgap.fitting.least_squares.lanes import AbstractIteration, run_lanes

ResidualFn = Callable[[Float[Array, " n"], Any], Float[Array, " m"]]

# How many problems step together: about what a CPU can vectorise, and few to idle at the end.
NUM_LANES = 64


class Minimum(NamedTuple):
    """Where a least-squares solve ended.

    - `coordinates`: the best point found.
    - `cost`: the sum of squared residuals there.
    - `converged`: whether a minimum was reached; if not, the steps ran out.
    - `num_steps`: how many steps were tried.
    """

    coordinates: Float[Array, " n"]
    cost: Float[Array, ""]
    converged: Bool[Array, ""]
    num_steps: Int[Array, ""]


class AbstractMinimiser(eqx.Module):
    """A method that minimises a sum of squares step by step."""

    @abc.abstractmethod
    def begin(self, start: Float[Array, " n"]) -> PyTree:
        """The state of a solve from `start`, before any evaluation."""

    @abc.abstractmethod
    def step(self, residual_fn: ResidualFn, state: PyTree, args: Any) -> PyTree:
        """One step towards the least sum of squares of `residual_fn(coordinates, args)`."""

    @abc.abstractmethod
    def finished(self, state: PyTree) -> Bool[Array, ""]:
        """Whether the solve has ended, as it must after a bounded number of steps."""

    @abc.abstractmethod
    def minimum(self, state: PyTree) -> Minimum:
        """The best point of the solve so far."""


def minimise(
    minimiser: AbstractMinimiser,
    residual_fn: ResidualFn,
    starts: Float[Array, "batch n"],
    args_fn: Callable[[Int[Array, ""]], Any] = lambda problem: None,
    num_problems: Int[Array, ""] | int | None = None,
) -> Minimum:
    """Minimise many sums of squares, in lanes.

    **Arguments:**

    - `minimiser`, `residual_fn`: the method and the residuals.
    - `starts`: one for each problem.
    - `args_fn`: maps a problem's index to its `args`.
    - `num_problems`: how many of the starts to use; by default all.

    **Returns:**

    A :class:`Minimum` with a leading axis.

    **Example:**

    >>> import jax.numpy as jnp
    >>> from jaxgap.fitting.least_squares.levenberg_marquardt import LevenbergMarquardt
    >>> targets = jnp.array([4.0, 9.0])
    >>> found = minimise(LevenbergMarquardt(), lambda z, a: z**2 - a, jnp.ones((2, 1)),
    ...                  lambda problem: targets[problem])
    >>> [round(float(z), 3) for z in found.coordinates[:, 0]]
    [2.0, 3.0]
    """
    capacity = len(starts)
    number = capacity if num_problems is None else num_problems
    solves = Solves(minimiser, residual_fn, starts, args_fn, minimiser.minimum)
    return run_lanes(solves, capacity, number, NUM_LANES)


class Solves(AbstractIteration):
    """One solve from each start; `result_fn` maps its last state to its result."""

    minimiser: AbstractMinimiser
    residual_fn: ResidualFn
    starts: Float[Array, "batch n"]
    args_fn: Callable[[Int[Array, ""]], Any]
    result_fn: Callable[[PyTree], PyTree]

    def begin(self, problem: Int[Array, ""]) -> PyTree:
        return self.args_fn(problem), self.minimiser.begin(self.starts[problem])

    def step(self, state: PyTree) -> PyTree:
        args, solve = state
        return args, self.minimiser.step(self.residual_fn, solve, args)

    def finished(self, state: PyTree) -> Bool[Array, ""]:
        _, solve = state
        return self.minimiser.finished(solve)

    def result(self, state: PyTree) -> PyTree:
        _, solve = state
        return self.result_fn(solve)
