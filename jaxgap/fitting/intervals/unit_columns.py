"""A Jacobian with columns of unit length, so that directions compare whatever the units."""

import jax.numpy as jnp
from jaxtyping import Array, Float

# A direction that moves the residuals by less than this fraction of the strongest one counts as
# without effect; far above round-off.
RANK_TOLERANCE = 1e-9


def unit_columns(jacobian: Float[Array, "m n"]) -> tuple[Float[Array, "m n"], Float[Array, " n"]]:
    """The Jacobian with columns of unit norm, and what they were divided by: one if zero."""
    norms = jnp.linalg.norm(jacobian, axis=0)
    norms = jnp.where(norms > 0, norms, 1.0)
    return jacobian / norms, norms
