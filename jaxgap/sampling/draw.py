"""From logits to tokens: one draw a row, and the log-probability of what was drawn."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.sampling.categorical import first_largest, inverse_cdf, masses
from jaxgap.sampling.settings import Settings
from jaxgap.sampling.thresholds import smallest_kept


def draw(
    logits: Float[Array, "batch vocab"], uniforms: Float[Array, " batch"], settings: Settings
) -> tuple[Int[Array, " batch"], Float[Array, " batch"]]:
    """Draw one token a row.

    **Arguments:**

    - `logits`: unnormalised log-probabilities, float32.
    - `uniforms`: one number in (0, 1) a row, as :func:`row_uniforms` gives.
    - `settings`: temperature and filters, traced, so that changing one compiles nothing.

    **Returns:** the tokens, and the log-probability in nats of each under the logits themselves: at
    temperature 1, unfiltered.
    """

    largest = logits.max(-1)
    of_the_model = masses(logits, largest, 1.0)
    temperature = settings.temperature

    def filtered():
        weights = jnp.exp((logits - largest[:, None]) / temperature)
        kept = weights >= smallest_kept(weights, settings)[:, None]
        allowed = jnp.where(kept, logits, -jnp.inf)
        return inverse_cdf(allowed, uniforms, masses(allowed, largest, temperature))

    def tempered():
        return inverse_cdf(logits, uniforms, masses(logits, largest, temperature))

    def as_the_model_says():
        return inverse_cdf(logits, uniforms, of_the_model)

    def greedy():
        return first_largest(logits, largest)

    # What is not asked for costs nothing: every pass over the vocabulary is a good part of a step.
    any_filter = (settings.top_k > 0) | (settings.top_p < 1) | (settings.min_p > 0)
    # Every filter keeps the most probable token.
    way = jnp.where(temperature == 0, 3, jnp.where(any_filter, 2, temperature != 1))
    tokens = jax.lax.switch(way, (as_the_model_says, tempered, filtered, greedy))
    drawn = jnp.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0]
    return tokens, drawn - of_the_model.log_total()
