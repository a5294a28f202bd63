"""Small systems of linear equations, many of which are solved in parallel lanes."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def solve_positive_definite(
    matrix: Float[Array, "params params"], right: Float[Array, " params"]
) -> Float[Array, " params"]:
    """Gauss-Jordan elimination; NaN if a pivot shows that the matrix is not positive definite.

    The loop over pivots is unrolled: over lanes it compiles to a few fused elementwise kernels,
    about three times as fast for five parameters as a batched LAPACK call.
    """
    table = jnp.concatenate([matrix, right[:, None]], axis=1)
    for k in range(len(right)):
        pivot = jnp.where(table[k, k] > 0, table[k, k], jnp.nan)
        row = table[k] / pivot
        table = (table - table[:, k, None] * row).at[k].set(row)
    return table[:, -1]
