"""Rotary position embedding (Su et al., arXiv:2104.09864), in the half-split layout of Llama."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def rotary_angles(
    positions: Int[Array, "batch seq"], head_dim: int, theta: float
) -> tuple[Float[Array, "batch seq 1 half"], Float[Array, "batch seq 1 half"]]:
    """Cosines and sines of `position * theta ** (-2 i / head_dim)` for each pair i."""
    frequencies = theta ** (-jnp.arange(0, head_dim, 2, dtype=jnp.float32) / head_dim)
    angles = positions[:, :, None, None].astype(jnp.float32) * frequencies
    return jnp.cos(angles), jnp.sin(angles)


def rotate(
    x: Float[Array, "batch seq heads head_dim"],
    cosines: Float[Array, "batch seq 1 half"],
    sines: Float[Array, "batch seq 1 half"],
) -> Float[Array, "batch seq heads head_dim"]:
    """Turn each pair (i, i + head_dim / 2) of `x` by its angle."""
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate(
        [first * cosines - second * sines, second * cosines + first * sines], axis=-1
    )
