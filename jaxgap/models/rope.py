"""Rotary position embedding (Su et al., arXiv:2104.09864), in the half-split layout of Llama."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxgap.models.config import DecoderConfig


def rotary_angles(
    config: DecoderConfig, positions: Int[Array, "batch seq"], lengths: Int[Array, " batch"]
) -> tuple[Float[Array, "batch seq 1 half"], Float[Array, "batch seq 1 half"]]:
    """Cosines and sines of `position * w_i`, times the attention factor of the scaling.

    **Arguments:**

    - `config`: theta, the rotated fraction of a head, and the scaling.
    - `positions`: of the tokens.
    - `lengths`: real tokens in each row, including those in the cache.

    **Returns:** both in float32, one value per rotated pair (`half`), the same for all heads.
    """
    pairs = jnp.arange(0, config.rotary_dim, 2, dtype=jnp.float32)
    frequencies = config.rope_theta ** (-pairs / config.rotary_dim)
    scaling = config.rope_scaling
    angles = (
        positions[:, :, None, None].astype(jnp.float32)
        * (scaling.scale(frequencies, lengths)[:, None, None, :])
    )
    factor = scaling.attention_factor
    return factor * jnp.cos(angles), factor * jnp.sin(angles)


def rotate(
    x: Float[Array, "batch seq heads head_dim"],
    cosines: Float[Array, "batch seq 1 half"],
    sines: Float[Array, "batch seq 1 half"],
) -> Float[Array, "batch seq heads head_dim"]:
    """Rotate each pair (i, i + half) of the first `2 half` entries of `x`; keep the others."""
    half = cosines.shape[-1]
    pairs, kept = x[..., : 2 * half], x[..., 2 * half :]
    # Each entry's partner, by one roll. Concatenating two separately computed halves is slow on a
    # CPU, where the fused loop then checks for every entry which half it comes from.
    partners = jnp.roll(pairs, half, axis=-1)
    turned = pairs * jnp.concatenate([cosines, cosines], axis=-1)
    turned += partners * jnp.concatenate([-sines, sines], axis=-1)
    turned = turned.astype(x.dtype)
    return jnp.concatenate([turned, kept], axis=-1) if kept.shape[-1] else turned
