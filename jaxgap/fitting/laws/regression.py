"""Weighted linear regression: the amplitudes of a curve, given its shape.

Every law here is linear in some of its coordinates once the others are given. The starts of a fit
spread the others over the plausible range and find these by regression.
"""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jaxtyping import Array, Float

# Added to each pivot, which are scaled to one: parallel columns then share their amplitude.
_RIDGE = 1e-12


def regress(
    basis: Float[Array, "times functions"],
    y: Float[Array, " times"],
    weights: Float[Array, " times"],
) -> Float[Array, " functions"]:
    """The coefficients of the basis functions by weighted least squares; zeros without weights."""
    weighted = basis * weights[:, None]
    normal = weighted.T @ weighted
    pivots = jnp.diagonal(normal)
    scale = jnp.where(pivots > 0, jnp.sqrt(pivots), 1.0)
    scaled = normal / scale / scale[:, None] + _RIDGE * jnp.eye(len(pivots))
    # A function without weight has a zero row: a unit pivot gives it a coefficient of zero.
    scaled = scaled + jnp.diag(jnp.where(pivots > 0, 0.0, 1.0))
    moment = weighted.T @ (y * weights)
    return jsl.cho_solve(jsl.cho_factor(scaled), moment / scale) / scale
