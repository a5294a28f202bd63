"""From logits to tokens: one draw per row or candidate, and its log-probability."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.sampling.categorical import block_sums, first_largest, inverse_cdf, row_uniforms
from jaxgap.sampling.sampling_params import TracedSamplingParams
from jaxgap.sampling.thresholds import smallest_kept


def draw(
    logits: Float[Array, "batch vocab"],
    uniforms: Float[Array, " batch"],
    sampling_params: TracedSamplingParams,
) -> tuple[Int[Array, " batch"], Float[Array, " batch"]]:
    """Draw one token per row.

    **Arguments:**

    - `logits`: unnormalised log-probabilities, float32.
    - `uniforms`: one number in (0, 1) per row, as returned by :func:`row_uniforms`.
    - `sampling_params`: temperature and filters.

    **Returns:** the tokens, and the log-probability of each in nats at temperature 1, unfiltered.
    """

    largest = logits.max(-1)
    model_sums = block_sums(logits, largest, 1.0)
    temperature = sampling_params.temperature

    def filtered():
        weights = jnp.exp((logits - largest[:, None]) / temperature)
        kept = weights >= smallest_kept(weights, sampling_params)[:, None]
        allowed = jnp.where(kept, logits, -jnp.inf)
        return inverse_cdf(allowed, uniforms, block_sums(allowed, largest, temperature))

    def tempered():
        return inverse_cdf(logits, uniforms, block_sums(logits, largest, temperature))

    def unfiltered():
        return inverse_cdf(logits, uniforms, model_sums)

    def greedy():
        return first_largest(logits, largest)

    # Unused filters cost nothing: every pass over the vocabulary is a good part of a step.
    any_filter = (
        (sampling_params.top_k > 0) | (sampling_params.top_p < 1) | (sampling_params.min_p > 0)
    )
    # Greedy needs no filters: each of them keeps the most probable token.
    branch = jnp.where(temperature == 0, 3, jnp.where(any_filter, 2, temperature != 1))
    tokens = jax.lax.switch(branch, (unfiltered, tempered, filtered, greedy))
    drawn = jnp.take_along_axis(logits, tokens[:, None], axis=-1)[:, 0]
    return tokens, drawn - model_sums.log_total()


@jax.jit
def draw_first(
    logits: Float[Array, "prompts vocab"],
    key: jax.Array,
    row_ids: Int[Array, "prompts candidates"],
    sampling_params: TracedSamplingParams,
) -> tuple[Int[Array, "prompts candidates"], Float[Array, "prompts candidates"]]:
    """Draw the first token of every candidate of some prompts.

    **Arguments:**

    - `logits`: those of the token after each prompt.
    - `key`, `row_ids`: the key of all random streams, and the stream of each candidate.
    - `sampling_params`: temperature and filters.

    **Returns:** as :func:`draw`, for each candidate; what they share is computed once a prompt.
    """
    first = jnp.zeros((row_ids.size, 1), jnp.int32)
    uniforms = row_uniforms(key, row_ids.ravel(), first).reshape(row_ids.shape)
    return jax.vmap(draw, in_axes=(None, 1, None), out_axes=1)(logits, uniforms, sampling_params)
