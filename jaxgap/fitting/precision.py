"""The JAX settings that fits compute with, whatever the calling program has set."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Compute in 64 bits, with JAX's default dtype and rank promotion.

    **Example:**

    >>> import jax.numpy as jnp
    >>> with jax.numpy_dtype_promotion("strict"), double_precision():
    ...     print((jnp.arange(2) * 0.5).dtype)
    float64
    """
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield
