"""Keys whose random streams stay their own under `jax.vmap`.

Only Threefry keys do. A vmapped draw from `rbg` or `unsafe_rbg` keys
(`JAX_DEFAULT_PRNG_IMPL=rbg`) reads the first key of the batch alone: the numbers of a key then
depend on the keys before it, and repeat whenever the first key does
(https://docs.jax.dev/en/latest/jax.random.html, "Advanced RNG configuration").
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

THREEFRY = "threefry2x32"


def threefry_key(key: jax.Array) -> jax.Array:
    """The key itself if it is a Threefry key, else a Threefry key drawn from it.

    Call this before folding numbers into a key, or splitting it, for a `jax.vmap` over the results.

    **Arguments:**

    - `key`: one key of any implementation.

    >>> str(jax.random.key_impl(threefry_key(jax.random.key(0, impl="rbg"))))
    'threefry2x32'
    """
    if str(jax.random.key_impl(key)) == THREEFRY:
        return key
    return jax.random.wrap_key_data(jax.random.bits(key, (2,), jnp.uint32), impl=THREEFRY)
