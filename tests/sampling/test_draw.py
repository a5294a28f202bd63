"""Draws follow the distribution that the temperature and the filters leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgap.sampling import SamplingParams, draw, row_uniforms
from jaxgap.sampling.draw import draw_first

_draw = jax.jit(draw)


@pytest.mark.parametrize(
    "sampling_params",
    [SamplingParams(0.6), SamplingParams(top_k=3), SamplingParams(2.0, 6, 0.7, 0.1)],
    ids=str,
)
def test_frequencies_follow_the_filtered_softmax(kept_by_sorting, sampling_params):
    num_draws = 20_000
    logits = np.array([0.0, 1.5, -1.0, -2.0, 0.7, 0.2, 1.1, -0.4], np.float32)
    uniforms = jax.random.uniform(jax.random.key(0), (num_draws,))
    tokens, _ = _draw(jnp.tile(logits, (num_draws, 1)), uniforms, sampling_params.traced())
    weights = np.exp(logits.astype(np.float64) / sampling_params.temperature)
    weights *= kept_by_sorting(logits, sampling_params)
    counts = np.bincount(tokens, minlength=len(logits))
    possible = weights > 0
    assert not counts[~possible].any()
    expected = weights[possible] / weights.sum() * num_draws
    assert stats.chisquare(counts[possible], expected).pvalue > 0.001


@pytest.mark.parametrize(
    "sampling_params",
    [SamplingParams(top_k=3), SamplingParams(top_p=0.5), SamplingParams(min_p=0.3)],
    ids=str,
)
def test_each_filter_alone_is_obeyed(kept_by_sorting, sampling_params):
    logits = np.random.default_rng(0).normal(size=(512, 50)).astype(np.float32)
    uniforms = jax.random.uniform(jax.random.key(0), (512,))
    tokens, _ = _draw(jnp.asarray(logits), uniforms, sampling_params.traced())
    kept = np.stack([kept_by_sorting(row, sampling_params) for row in logits])
    assert kept[np.arange(512), tokens].all()


def test_temperature_zero_is_greedy():
    logits = np.random.default_rng(1).normal(size=(64, 900)).astype(np.float32)
    uniforms = np.random.default_rng(2).random(64, dtype=np.float32)
    tokens, _ = _draw(jnp.asarray(logits), jnp.asarray(uniforms), SamplingParams(0.0).traced())
    np.testing.assert_array_equal(tokens, logits.argmax(1))


def test_temperature_zero_takes_the_first_of_equals():
    """As numpy's argmax, and as transformers, whatever the uniform and the filters."""
    # Ties within a block of 256 words, and across blocks.
    logits = np.random.default_rng(3).integers(0, 4, size=(64, 900)).astype(np.float32)
    logits[:32] = np.where(logits[:32] == 3, 0, logits[:32])
    logits[:32, [300, 301, 700]] = 3
    for sampling_params in (
        SamplingParams(0.0),
        SamplingParams(1e-40),
        SamplingParams(0.0, 5, 0.9, 0.1),
    ):
        for uniform in (0.0, 0.4, 0.999):
            uniforms = jnp.full(64, uniform, jnp.float32)
            tokens, logprobs = _draw(jnp.asarray(logits), uniforms, sampling_params.traced())
            np.testing.assert_array_equal(tokens, logits.argmax(1))
    expected = jax.nn.log_softmax(jnp.asarray(logits)).max(1)
    np.testing.assert_allclose(logprobs, expected, atol=1e-5)


@pytest.mark.parametrize("sampling_params", [SamplingParams(0.0), SamplingParams()])
def test_logits_that_are_not_numbers_draw_a_word_all_the_same(sampling_params):
    # So that it can be looked up until someone sees that its log-probability is none.
    logits = jnp.full((2, 300), jnp.nan)
    tokens, logprobs = _draw(logits, jnp.array([0.2, 0.9], jnp.float32), sampling_params.traced())
    assert (tokens >= 0).all()
    assert (tokens < 300).all()
    assert jnp.isnan(logprobs).all()


def test_logprobs_are_the_models_own():
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(64, 900)).astype(np.float32))
    uniforms = jnp.asarray(np.random.default_rng(2).random(64, dtype=np.float32))
    tokens, logprobs = _draw(logits, uniforms, SamplingParams(0.5, 20, 0.9).traced())
    expected = jax.nn.log_softmax(logits)[jnp.arange(64), tokens]
    np.testing.assert_allclose(logprobs, expected, atol=1e-5)


def test_sampling_params_compile_nothing():
    logits, uniforms, traces = jnp.zeros((3, 50)), jnp.zeros(3), []

    @jax.jit
    def counted(*args):
        traces.append(args)
        return draw(*args)

    others = (
        SamplingParams(0.0),
        SamplingParams(0.3),
        SamplingParams(top_k=4),
        SamplingParams(1.5, 2, 0.5, 0.1),
    )
    for sampling_params in (SamplingParams(), *others):
        counted(logits, uniforms, sampling_params.traced())
    assert len(traces) == 1


@pytest.mark.parametrize(
    "sampling_params",
    [SamplingParams(), SamplingParams(0.0), SamplingParams(0.5, 20, 0.9, 0.01)],
    ids=str,
)
def test_first_tokens_are_those_of_one_draw_each(sampling_params):
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(6, 900)).astype(np.float32))
    row_ids, key = jnp.arange(24, dtype=jnp.int32).reshape(6, 4)[::-1], jax.random.key(3)
    tokens, logprobs = draw_first(logits, key, row_ids, sampling_params.traced())
    for candidate in range(4):
        uniforms = row_uniforms(key, row_ids[:, candidate], jnp.zeros((6, 1), jnp.int32))[:, 0]
        expected = _draw(logits, uniforms, sampling_params.traced())
        np.testing.assert_array_equal(tokens[:, candidate], expected[0])
        np.testing.assert_allclose(logprobs[:, candidate], expected[1], rtol=1e-6)


def test_first_tokens_of_many_candidates_copy_no_logits():
    """A copy of the vocabulary for each candidate would be gigabytes."""
    logits = jax.ShapeDtypeStruct((8, 50_000), jnp.float32)
    row_ids = jax.ShapeDtypeStruct((8, 256), jnp.int32)
    arguments = (logits, jax.random.key(0), row_ids, SamplingParams().traced())
    memory = draw_first.lower(*arguments).compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 12 * 8 * 50_000 * 4
