"""Random keys of a run: all follow from its seed, and none is used twice.

A round folds its own number into the run's key. What is drawn outside of rounds folds in a number
that no round has.
"""

from __future__ import annotations

from typing import NamedTuple

import jax

# Counted down from the largest number that a key takes.
_EXTERNAL_ORDER, _ADAPTERS, _REDRAWN = 2**32 - 1, 2**32 - 2, 2**32 - 3


class RoundKeys(NamedTuple):
    """The keys of one round.

    **Fields:**

    - `train`, `held_out`: for the answers to the prompts of each split.
    - `order`: for the order in which training completions are read.
    """

    train: jax.Array
    held_out: jax.Array
    order: jax.Array


def round_keys(key: jax.Array, round_index: int) -> RoundKeys:
    """The keys of a round, from the run's key."""
    return RoundKeys(*jax.random.split(jax.random.fold_in(key, round_index), 3))


def redrawn_key(key: jax.Array, attempt: int) -> jax.Array:
    """A run's key from here on after numbers that were not finite, another for each attempt."""
    return jax.random.fold_in(jax.random.fold_in(key, _REDRAWN), attempt)


def external_order_key(seed: int) -> jax.Array:
    """For the order in which external responses are used."""
    return jax.random.fold_in(jax.random.key(seed), _EXTERNAL_ORDER)


def adapters_key(seed: int) -> jax.Array:
    """For the first values of adapters."""
    return jax.random.fold_in(jax.random.key(seed), _ADAPTERS)
