"""Exact categorical sampling from one uniform number a row.

A row's token is where its uniform falls in the cumulative distribution, so that the pair (logits,
uniform) decides it: nothing depends on the rest of the batch. It costs one pass over the logits,
where the Gumbel trick of `jax.random.categorical` draws a random number for each of them.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def row_uniforms(
    key: jax.Array, row_ids: Int[Array, " batch"], num_steps: int
) -> Float[Array, "batch steps"]:
    """Uniforms in [0, 1) from a stream of each row's own: a function of key, row id and step."""

    def stream(row_id):
        row_key = jax.random.fold_in(key, row_id)
        steps = jnp.arange(num_steps)
        return jax.vmap(lambda step: jax.random.uniform(jax.random.fold_in(row_key, step)))(steps)

    return jax.vmap(stream)(row_ids)


def inverse_cdf(
    logits: Float[Array, "batch vocab"],
    uniforms: Float[Array, " batch"],
    temperature: Float[Array, ""] | float,
) -> Int[Array, " batch"]:
    """Draw tokens by inverting the cumulative distribution.

    The token is the number of entries of `cumsum(softmax(logits / temperature))` that do not exceed
    the uniform, which has exactly the softmax's distribution up to float32 rounding.

    **Arguments:**

    - `logits`: unnormalised log-probabilities.
    - `uniforms`: one number in [0, 1) a row.
    - `temperature`: > 0; traced, so that changing it compiles nothing.
    """
    cumulative = jnp.cumsum(jax.nn.softmax(logits / temperature, axis=-1), axis=-1)
    # Scaled by the rounded total, so that no uniform falls beyond the last token of any weight.
    targets = uniforms[:, None] * cumulative[:, -1:]
    drawn = jnp.sum(cumulative <= targets, axis=-1)
    return jnp.minimum(drawn, logits.shape[-1] - 1).astype(jnp.int32)
