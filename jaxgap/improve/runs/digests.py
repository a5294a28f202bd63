"""Digests of arrays, to check that what is read from disk is what was written.

Orbax does not verify its payload, so a flipped bit would silently become a wrong number. A digest
is the sum over all elements, modulo 2^32, of the element's bits times a weight of its position: a
product of one factor per axis. Every weight is odd, so any single flipped bit changes the sum. The
sum does not depend on how an array is sharded, so a run may resume on more or fewer devices.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

_GOLDEN, _SALT = 0x9E3779B1, 0x85EBCA77


def digests(tree: PyTree) -> dict[str, int]:
    """The digest of every leaf, by its path in the tree.

    **Arguments:**

    - `tree`: arrays of any type, typed random keys included.

    >>> before = digests({"a": jnp.arange(3.0)})
    >>> before == digests({"a": jnp.array([0.0, 1.0, 2.0])})
    True
    >>> before == digests({"a": jnp.array([0.0, 2.0, 1.0])})
    False
    """
    # Per leaf, since many layers have few distinct shapes to compile. One at a time, since many
    # concurrent collectives can deadlock if devices are threads on a few cores.
    sums = [jax.device_get(_digest(leaf)) for leaf in jax.tree.leaves(tree)]
    return dict(zip(leaf_names(tree), map(int, sums), strict=True))


def leaf_names(tree: PyTree) -> list[str]:
    """The path of every leaf, in the order of the leaves.

    >>> leaf_names({"a": [1, 2]})
    ["['a'][0]", "['a'][1]"]
    """
    leaves, _ = jax.tree.flatten_with_path(tree)
    return [jax.tree_util.keystr(path) for path, _ in leaves]


def json_digest(value: Any) -> int:
    """A checksum of a JSON value, independent of the order of its fields.

    >>> json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1}) != json_digest({"a": 1})
    True
    """
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


@jax.jit
def _digest(leaf: Any) -> Int[Array, ""]:
    words = _words(leaf)
    # Axis by axis: flattening a sharded array would gather it.
    for axis in reversed(range(words.ndim)):
        words = jnp.sum(words * _weights(words.shape[axis], axis), axis=axis, dtype=jnp.uint32)
    return words


def _weights(size: int, axis: int) -> Int[Array, " size"]:
    """Odd numbers that differ by axis; else a matrix and its transpose had equal digests."""
    places = jnp.arange(size, dtype=jnp.uint32) + jnp.uint32((axis * _SALT) % 2**32)
    return (places * jnp.uint32(_GOLDEN)) | jnp.uint32(1)


def _words(leaf: Any) -> Int[Array, ...]:
    """The bits of an array as unsigned words of at most 32 bits, each widened to uint32."""
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == bool:
        return array.astype(jnp.uint32)
    width = min(array.dtype.itemsize, 4)
    words = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[width]
    return jax.lax.bitcast_convert_type(array, words).astype(jnp.uint32)
