"""How fits compute, whatever the program that asks for them has chosen for itself."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """In 64 bits, with JAX's own promotion of types and ranks.

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
