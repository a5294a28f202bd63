"""Weighted linear regression: given the shape of a curve, its amplitudes for free.

Every law here is linear in some of its coordinates once the others are given. A start of a fit
spreads the others over what is plausible and finds these by regression.
"""

import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jaxtyping import Array, Float

# Of the largest pivot, added to each: columns that are parallel share their amplitude.
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
    # A function without weight has an empty row: a unit pivot gives it a coefficient of zero.
    scaled = scaled + jnp.diag(jnp.where(pivots > 0, 0.0, 1.0))
    moment = weighted.T @ (y * weights)
    return jsl.cho_solve(jsl.cho_factor(scaled), moment / scale) / scale
