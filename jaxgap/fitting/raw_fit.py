"""The output of the compiled programs, before any of it is put into words."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics


class RawFit(NamedTuple):
    """The best fit of one curve or, with a leading axis, of many.

    - `coordinates`, `dynamics`: the fit.
    - `search_start`: where searches around it begin.
    - `starts`, `start_costs`: where the fit began, and the least cost reached from each.
    - `cost`, `variance`: its sum of squares, and the noise's variance.
    - `converged`: whether it is a minimum.
    - `num_agreeing`: how many starts reached it.
    - `fitted`: its curves, and `log_likelihoods` of the measurements under them.
    """

    coordinates: Float[Array, " n"]
    dynamics: AbstractDynamics
    search_start: Float[Array, " n"]
    starts: Float[Array, "starts n"]
    start_costs: Float[Array, " starts"]
    cost: Float[Array, ""]
    variance: Float[Array, ""]
    converged: Bool[Array, ""]
    num_agreeing: Int[Array, ""]
    fitted: Float[Array, "times 2"]
    log_likelihoods: Float[Array, "times 2"]


class RawNumbers(NamedTuple):
    """The parameters and limits that the curves can show, of one fit or of many."""

    estimates: Float[Array, " k"]
    stderrs: Float[Array, " k"]
    intervals: Float[Array, "k 2"]
