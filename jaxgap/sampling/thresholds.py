"""The cut-offs of top-k, top-p and min-p, exact and without sorting the vocabulary.

Each filter keeps the tokens whose weight reaches a per-row threshold, so all filters together
amount to one threshold. Those of top-k and top-p are the largest that still keep enough: k tokens,
or a fraction p of the mass. They are found by bisection on the bits of the weights, which are
ordered like the non-negative floats they encode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.sampling.sampling_params import TracedSamplingParams

Weights = Float[Array, "batch vocab"]
PerRow = Float[Array, " batch"]


def smallest_kept(weights: Weights, sampling_params: TracedSamplingParams) -> PerRow:
    """The weight that a token must reach to pass all filters.

    **Arguments:**

    - `weights`: `exp((logit - largest logit) / temperature)`, in [0, 1].
    - `sampling_params`: the filters; those that are off are skipped at run time.
    """
    _, top_k, top_p, min_p = sampling_params
    none = jnp.zeros(weights.shape[0], weights.dtype)
    by_count = jax.lax.cond(top_k > 0, lambda: _top_k(weights, top_k), lambda: none)
    by_mass = jax.lax.cond(top_p < 1, lambda: _top_p(weights, top_p, by_count), lambda: none)
    return jnp.maximum(jnp.maximum(by_count, by_mass), min_p)


def _top_k(weights: Weights, k: Int[Array, ""]) -> PerRow:
    def count(kept):
        return jnp.sum(kept, axis=-1, dtype=jnp.float32)

    targets = jnp.full(weights.shape[0], k, jnp.float32)
    return _largest_reaching(weights, count, targets, lambda threshold: jnp.ones_like(threshold))


def _top_p(weights: Weights, p: Float[Array, ""], lowest: PerRow) -> PerRow:
    def mass(kept):
        return jnp.where(kept, weights, 0.0).sum(-1)

    targets = p * mass(weights >= lowest[:, None])
    return _largest_reaching(weights, mass, targets, lambda threshold: threshold)


class _Bracket(NamedTuple):
    """Bits of two thresholds and the measure they keep: enough at `low`, too little at `high`."""

    low: Int[Array, " batch"]
    high: Int[Array, " batch"]
    at_low: PerRow
    at_high: PerRow


def _largest_reaching(
    weights: Weights,
    measure: Callable[[Bool[Array, "batch vocab"]], PerRow],
    targets: PerRow,
    least_of_one: Callable[[PerRow], PerRow],
) -> PerRow:
    """The largest threshold whose kept tokens measure at least the target; 0 if none does.

    A row is done when it keeps exactly its target, or when at most one token lies in its bracket:
    each token there adds at least `least_of_one(low)` to the measure.
    """

    def value(bits):
        return jax.lax.bitcast_convert_type(bits, jnp.float32)

    def unfinished(bracket: _Bracket):
        several = bracket.at_low - bracket.at_high >= 2 * least_of_one(value(bracket.low))
        wide = bracket.high - bracket.low > 1
        return (wide & several & (bracket.at_low != targets)).any()

    def halve(bracket: _Bracket):
        middle = bracket.low + (bracket.high - bracket.low) // 2
        measured = measure(weights >= value(middle)[:, None])
        enough = measured >= targets
        return _Bracket(
            low=jnp.where(enough, middle, bracket.low),
            high=jnp.where(enough, bracket.high, middle),
            at_low=jnp.where(enough, measured, bracket.at_low),
            at_high=jnp.where(enough, bracket.at_high, measured),
        )

    batch = weights.shape[0]
    above_all = jax.lax.bitcast_convert_type(jnp.float32(1), jnp.int32) + 1
    start = _Bracket(
        low=jnp.zeros(batch, jnp.int32),
        high=jnp.full(batch, above_all),
        at_low=measure(jnp.ones(weights.shape, bool)),
        at_high=jnp.zeros(batch, jnp.float32),
    )
    return value(jax.lax.while_loop(unfinished, halve, start).low)
