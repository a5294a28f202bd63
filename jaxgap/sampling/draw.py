"""From logits to tokens: one draw a row, and the log-probability of what was drawn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.sampling.categorical import inverse_cdf, log_total
from jaxgap.sampling.settings import Settings
from jaxgap.sampling.thresholds import smallest_kept


def draw(
    logits: Float[Array, "batch vocab"], uniforms: Float[Array, " batch"], settings: Settings
) -> tuple[Int[Array, " batch"], Float[Array, " batch"]]:
    """Draw one token a row.

    **Arguments:**

    - `logits`: unnormalised log-probabilities, float32.
    - `uniforms`: one number in [0, 1) a row, as :func:`row_uniforms` gives.
    - `settings`: temperature and filters, traced, so that changing one compiles nothing.

    **Returns:** the tokens, and the log-probability in nats of each under the logits themselves: at
    temperature 1, unfiltered.
    """

    def filtered():
        weights = jnp.exp((logits - logits.max(-1, keepdims=True)) / settings.temperature)
        kept = weights >= smallest_kept(weights, settings)[:, None]
        return inverse_cdf(jnp.where(kept, logits, -jnp.inf), uniforms, settings.temperature)

    def unfiltered():
        return inverse_cdf(logits, uniforms, settings.temperature)

    any_filter = (settings.top_k > 0) | (settings.top_p < 1) | (settings.min_p > 0)
    tokens = jax.lax.cond(any_filter, filtered, unfiltered)
    drawn = jnp.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0]
    return tokens, drawn - log_total(logits)
