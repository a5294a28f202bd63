"""Random keys of a run: all derive from its seed, and none is used twice.

A round folds its own number into the run's key. Draws outside of rounds fold in a number that no
round has. All are Threefry keys, so a run and its checkpoints do not depend on
`JAX_DEFAULT_PRNG_IMPL`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax

from jaxgap.random_keys import THREEFRY

# Counted down from the largest number that can be folded into a key.
_EXTERNAL_ORDER, _ADAPTERS, _REDRAWN, _FORECAST = (2**32 - number for number in range(1, 5))


class RoundKeys(NamedTuple):
    """The keys of one round.

    **Fields:**

    - `train`, `held_out`: for answering the prompts of each split.
    - `order`: for the order of the training examples.
    """

    train: jax.Array
    held_out: jax.Array
    order: jax.Array


def run_key(seed: int) -> jax.Array:
    """The key of a run, from its seed."""
    return jax.random.key(seed, impl=THREEFRY)


def round_keys(key: jax.Array, round_index: int) -> RoundKeys:
    """The keys of a round, from the run's key."""
    return RoundKeys(*jax.random.split(jax.random.fold_in(key, round_index), 3))


def redrawn_key(key: jax.Array, attempt: int) -> jax.Array:
    """The run's key after a round was not finite, different for each attempt."""
    return jax.random.fold_in(jax.random.fold_in(key, _REDRAWN), attempt)


def external_order_key(seed: int) -> jax.Array:
    """The key for the order in which external responses are used."""
    return jax.random.fold_in(run_key(seed), _EXTERNAL_ORDER)


def adapters_key(seed: int) -> jax.Array:
    """The key for initialising adapters."""
    return jax.random.fold_in(run_key(seed), _ADAPTERS)


def forecast_key(seed: int, round_index: int) -> jax.Array:
    """The key of the forecast after a round, which decides whether another is worthwhile."""
    return jax.random.fold_in(jax.random.fold_in(run_key(seed), _FORECAST), round_index)
