"""Digests of arrays: whether what comes back from a disk is what was written.

Orbax does not check its payload, so that a flipped bit comes back as a wrong number without a word.
A digest here is a sum over all elements, modulo 2^32, of the element's bits times a weight of its
position: the product of one for its place along each axis. Every weight is odd, so any single
flipped bit changes the sum; and a sum does not depend on how an array is laid out over devices, so
a run may go on where there are more or fewer of them.
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
    # Leaf by leaf: of many layers few shapes are compiled. And one after another: of many programs
    # at once that wait for all devices none may go on, where devices are threads of a few cores.
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
    """A checksum of what JSON holds, whatever the order of its fields.

    >>> json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1}) != json_digest({"a": 1})
    True
    """
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


@jax.jit
def _digest(leaf: Any) -> Int[Array, ""]:
    words = _words(leaf)
    # Axis by axis: laid out as one long row, a sharded array would have to be whole.
    for axis in reversed(range(words.ndim)):
        words = jnp.sum(words * _weights(words.shape[axis], axis), axis=axis, dtype=jnp.uint32)
    return words


def _weights(size: int, axis: int) -> Int[Array, " size"]:
    """Odd numbers, others along each axis: else an array and its transpose had the same digest."""
    places = jnp.arange(size, dtype=jnp.uint32) + jnp.uint32((axis * _SALT) % 2**32)
    return (places * jnp.uint32(_GOLDEN)) | jnp.uint32(1)


def _words(leaf: Any) -> Int[Array, ...]:
    """The bits of an array as unsigned words of 32 bits or fewer, each in 32 bits."""
    array = jnp.asarray(leaf)
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    if array.dtype == bool:
        return array.astype(jnp.uint32)
    width = min(array.dtype.itemsize, 4)
    words = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[width]
    return jax.lax.bitcast_convert_type(array, words).astype(jnp.uint32)
