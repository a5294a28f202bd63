"""The interface of every law of motion of the two capabilities: state, vector field, limits.

The state is one packed array `y = [U_s, U_v]`, uncertainties in nats, or error rates where
accuracies were measured: lower is always more capable. Parameters are leaves of the Module, so that
`jax.grad`, `jax.vmap` and `eqx.tree_at` reach each of them.
"""

import abc
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from equinox import AbstractVar
from jaxtyping import Array, Float, PyTree

from jaxgap.dynamics.types import RealScalar


class Limits(NamedTuple):
    """Where the curves go as t grows: `U_s_inf`, `U_v_inf` and `G_inf`, in the state's unit."""

    solver: Float[Array, ""]
    verifier: Float[Array, ""]
    gap: Float[Array, ""]


class AbstractDynamics(eqx.Module):
    """Two capabilities that evolve together from initial values at time `t0`."""

    solver_initial: AbstractVar[RealScalar]
    verifier_initial: AbstractVar[RealScalar]
    t0: AbstractVar[RealScalar]

    @property
    def initial_state(self) -> Float[Array, "2"]:
        """The packed state `[U_s, U_v]` at `t0`."""
        return jnp.stack([jnp.asarray(self.solver_initial), jnp.asarray(self.verifier_initial)])

    @property
    def gap_initial(self) -> RealScalar:
        """The gap at `t0`."""
        return self.solver_initial - self.verifier_initial

    @abc.abstractmethod
    def vector_field(
        self, t: RealScalar, y: Float[Array, "2"], args: PyTree = None
    ) -> Float[Array, "2"]:
        """`dy/dt` at time `t` and state `y`; `args` is there for Diffrax and unused."""

    @abc.abstractmethod
    def closed_form(self, ts: Float[Array, "*times"]) -> Float[Array, "*times 2"]:
        """`[U_s, U_v]` at `ts >= t0`, or a `ValueError` where the law has no closed form."""

    @abc.abstractmethod
    def limits(self) -> Limits:
        """The limits of the solver, the verifier and the gap."""
