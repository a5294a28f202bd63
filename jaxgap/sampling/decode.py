"""The compiled decode loop: a few steps of all rows, until enough of them have ended.

The ring of keys and values is part of the loop's carry, where XLA updates it in place, and its
buffers are donated from call to call. All user settings are traced. The loop returns to the host as
soon as fewer than `min_live` rows are live, so that other completions can be scheduled.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxgap.models import LanguageModel, Params
from jaxgap.sampling.categorical import row_uniforms
from jaxgap.sampling.draw import draw
from jaxgap.sampling.prefix import Prefixes
from jaxgap.sampling.ring import Ring
from jaxgap.sampling.sampling_params import TracedSamplingParams
from jaxgap.sampling.shared_cache import SharedPrefixCache
from jaxgap.sharding import replicate, shard_rows, shard_rows_and_vocab


class Rows(NamedTuple):
    """The state of each row of the batch.

    **Fields:**

    - `tokens`: the latest token, not yet read by the model.
    - `num_generated`: number of tokens drawn, >= 1 in a live row: the first is drawn from the
        logits of the prompt (:func:`jaxgap.sampling.draw.draw_first`).
    - `limits`: the number of tokens at which a row is cut.
    - `live`: whether the row is still decoding; other rows are computed too, and ignored.
    - `row_ids`: the random stream of the row.
    """

    tokens: Int[Array, " rows"]
    num_generated: Int[Array, " rows"]
    limits: Int[Array, " rows"]
    live: Bool[Array, " rows"]
    row_ids: Int[Array, " rows"]


class Drawn(NamedTuple):
    """The tokens drawn in one call of the loop.

    **Fields:**

    - `tokens`, `logprobs`: the token of each step and its log-probability.
    - `mask`: where a row was live; elsewhere nothing was drawn.
    """

    tokens: Int[Array, "rows steps"]
    logprobs: Float[Array, "rows steps"]
    mask: Bool[Array, "rows steps"]


class _Carry(NamedTuple):
    step: Int[Array, ""]
    ring: Ring
    rows: Rows
    drawn: Drawn


@functools.partial(jax.jit, static_argnames=("model", "max_steps"), donate_argnames=("ring",))
def decode(
    model: LanguageModel,
    params: Params,
    prefix: Prefixes,
    ring: Ring,
    rows: Rows,
    key: jax.Array,
    sampling_params: TracedSamplingParams,
    stop_ids: Int[Array, " stops"],
    min_live: Int[Array, ""],
    *,
    max_steps: int,
) -> tuple[Ring, Rows, Drawn]:
    """Draw up to `max_steps` tokens for every live row.

    **Arguments:**

    - `model`, `params`: the model.
    - `prefix`: each group's prompt.
    - `ring`: the rows' own keys and values; donated.
    - `rows`: the state of the rows.
    - `key`: key of all random streams; each random number is a function of this key, the row's id
        and the number of tokens it has generated.
    - `sampling_params`: temperature and filters.
    - `stop_ids`: tokens that end a row.
    - `min_live`: the loop ends when fewer rows than this are live, >= 1.
    - `max_steps`: maximum number of steps in one call.

    **Returns:** ring and rows after the last step, and the drawn tokens, replicated.
    """
    uniforms = row_uniforms(key, rows.row_ids, rows.num_generated[:, None] + jnp.arange(max_steps))

    def busy(carry: _Carry):
        return (carry.step < max_steps) & (carry.rows.live.sum() >= min_live)

    def advance(carry: _Carry) -> _Carry:
        step, rows, drawn = carry.step, carry.rows, carry.drawn
        cache = SharedPrefixCache(prefix, carry.ring, rows.num_generated)
        hidden, cache = model.hidden_states(params, rows.tokens[:, None], rows.live[:, None], cache)
        logits = shard_rows_and_vocab(model.logits(params, hidden[:, 0]))
        # Each row's logits are gathered, so the sums do not depend on the vocabulary's sharding.
        tokens, logprobs = draw(shard_rows(logits), uniforms[:, step], sampling_params)
        drawn = Drawn(
            drawn.tokens.at[:, step].set(tokens),
            drawn.logprobs.at[:, step].set(logprobs),
            drawn.mask.at[:, step].set(rows.live),
        )
        stopped = (tokens[:, None] == stop_ids).any(1)
        rows = rows._replace(
            tokens=tokens,
            num_generated=cache.num_generated,
            live=rows.live & ~stopped & (cache.num_generated < rows.limits),
        )
        return _Carry(step + 1, cache.ring, rows, drawn)

    shape = (rows.tokens.shape[0], max_steps)
    nothing = Drawn(jnp.zeros(shape, jnp.int32), jnp.zeros(shape), jnp.zeros(shape, bool))
    carry = jax.lax.while_loop(busy, advance, _Carry(jnp.int32(0), ring, rows, nothing))
    return carry.ring, carry.rows, jax.tree.map(replicate, carry.drawn)
