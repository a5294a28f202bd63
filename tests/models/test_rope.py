"""Rotations against complex multiplication in NumPy."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models.rope import rotary_angles, rotate
from jaxgap.models.rope_scaling import LinearScaling, LongRope

RNG = np.random.default_rng(0)
POSITIONS = np.array([[0, 1, 7], [3, 4, 900]])
LENGTHS = np.array([8, 901])


def turns(config, positions):
    """The angle of each pair at each position."""
    pairs = np.arange(config.rotary_dim // 2)
    return positions[..., None] * config.rope_theta ** (-2 * pairs / config.rotary_dim)


def test_a_pair_turns_by_position_times_frequency(tiny_model):
    x = RNG.standard_normal((2, 3, 4, tiny_model.config.head_dim)).astype(np.float32)
    turned = rotate(jnp.asarray(x), *rotary_angles(tiny_model.config, POSITIONS, LENGTHS))
    first, second = np.split(x.astype(np.float64), 2, axis=-1)
    angles = turns(tiny_model.config, POSITIONS)[:, :, None]
    expected = (first + 1j * second) * np.exp(1j * angles)
    np.testing.assert_allclose(
        turned, np.concatenate([expected.real, expected.imag], axis=-1), atol=5e-4
    )


def test_a_part_that_is_not_rotated_is_kept():
    x = jnp.asarray(RNG.standard_normal((1, 1, 2, 10)), jnp.float32)
    angles = RNG.standard_normal((1, 1, 1, 3))
    turned = rotate(x, jnp.cos(angles), jnp.sin(angles))
    np.testing.assert_array_equal(turned[..., 6:], x[..., 6:])
    assert np.abs(turned - x)[..., :6].min() > 0


@pytest.mark.parametrize("shift", [1, 50])
def test_scores_depend_on_the_distance_alone(tiny_model, shift):
    query, key = RNG.standard_normal((2, 1, 3, 1, tiny_model.config.head_dim))

    def scores(positions):
        angles = rotary_angles(tiny_model.config, jnp.asarray(positions)[None], jnp.array([60]))
        ours = (rotate(jnp.asarray(each), *angles)[0, :, 0] for each in (query, key))
        return np.einsum("qd,kd->qk", *ours)

    positions = np.array([0, 2, 5])
    np.testing.assert_allclose(scores(positions), scores(positions + shift), atol=1e-4)


def test_the_scaling_divides_frequencies_and_scales_the_result(tiny_model):
    half = tiny_model.config.rotary_dim // 2
    longer = LongRope((1.0,) * half, (4.0,) * half, 100, magnitude=1.5)
    for scaling, divisor, factor in (
        (LinearScaling(2.0), np.array([2.0, 2.0]), 1.0),
        (longer, np.array([1.0, 4.0]), 1.5),  # only the second row is longer than 100
    ):
        config = dataclasses.replace(tiny_model.config, rope_scaling=scaling)
        cosines, sines = rotary_angles(config, POSITIONS, LENGTHS)
        angles = turns(config, POSITIONS) / divisor[:, None, None]
        np.testing.assert_allclose(cosines[:, :, 0], factor * np.cos(angles), atol=2e-4)
        np.testing.assert_allclose(sines[:, :, 0], factor * np.sin(angles), atol=2e-4)
