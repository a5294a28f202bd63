"""Next-token logits of rows, for judging; shared prefixes are read once."""

from __future__ import annotations

import functools

import jax
from jaxtyping import Array, Float, Int

from jaxgap.models import KVCache, LanguageModel, Params, init_cache
from jaxgap.sampling.batch import TokenBatch
from jaxgap.sharding import replicate, shard_heads, shard_rows, shard_rows_and_heads


@functools.partial(jax.jit, static_argnames=("model",))
def continued_logits(
    model: LanguageModel,
    params: Params,
    prefixes: TokenBatch,
    prefix_of: Int[Array, " rows"],
    suffixes: TokenBatch,
) -> Float[Array, "rows vocab"]:
    """Logits of the token that follows each row; shared prefixes are read once.

    **Arguments:**

    - `model`, `params`: the model.
    - `prefixes`, `prefix_of`, `suffixes`: the rows, as returned by
        :func:`jaxgap.sampling.split_prefixes`.

    **Returns:** the float32 logits of each row at temperature 1, in the order of `suffixes`.
    """
    dtype = jax.tree.leaves(params)[0].dtype
    num_prefixes, num_slots = prefixes.tokens.shape
    num_slots += suffixes.tokens.shape[1]
    cache = init_cache(model.config, num_prefixes, num_slots, dtype)
    _, cache = model.hidden_states(params, prefixes.tokens, prefixes.mask, cache)
    # Replicated before the rows gather them: there are fewer prefixes than rows, so this moves the
    # least between devices.
    keys, values = jax.tree.map(
        lambda part: shard_rows_and_heads(shard_heads(part)[prefix_of]), cache[:2]
    )
    cache = KVCache(keys, values, shard_rows(replicate(cache.valid)[prefix_of]), cache.length)
    hidden, _ = model.hidden_states(params, suffixes.tokens, suffixes.mask, cache)
    return model.logits(params, hidden[:, -1])
