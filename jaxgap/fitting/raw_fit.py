"""The output of the compiled program, before any of it is put into words."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics


class RawFit(NamedTuple):
    """The fit of one curve or, with a leading axis, of many.

    `numbers`, `stderrs` and `intervals` run over the parameters and limits the curves can show.
    """

    coordinates: Float[Array, " n"]
    dynamics: AbstractDynamics
    cost: Float[Array, ""]
    variance: Float[Array, ""]
    converged: Bool[Array, ""]
    start_costs: Float[Array, " starts"]
    num_agreeing: Int[Array, ""]
    fitted: Float[Array, "times 2"]
    log_likelihoods: Float[Array, "times 2"]
    numbers: Float[Array, " k"]
    stderrs: Float[Array, " k"]
    intervals: Float[Array, "k 2"]
