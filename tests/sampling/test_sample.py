"""Sampled completions: their probabilities, their independence, where they end."""

import dataclasses
import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import LanguageModel, LongRope
from jaxgap.sampling import (
    SamplingParams,
    TokenBatch,
    encode_prompts,
    engine,
    row_uniforms,
    sample,
)
from jaxgap.sampling.decode import Rows, decode
from jaxgap.sampling.prefix import prefill
from jaxgap.sampling.ring import init_ring, ring_shapes

# Lengths of 1 to 23 tokens, so that prompts come in several buckets; 40 new tokens, so that the
# ring grows.
PROMPTS = ["1+2=", "34+5=", "7", "60+60=", "12345678901+12345678901="]
NUM_CANDIDATES, MAX_NEW_TOKENS = 3, 40
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def sharp_params(tiny_params):
    """Parameters whose next-token distribution is far from uniform."""
    return jax.tree.map(lambda x: 2 * x, tiny_params)


@pytest.fixture(scope="module")
def prompts(tiny_model):
    return encode_prompts(tiny_model.tokenizer, PROMPTS, 24)


@pytest.fixture(scope="module")
def sample_tiny(tiny_model, sharp_params, prompts):
    def call(batch=prompts, key=KEY, **changes):
        options = {"num_candidates": NUM_CANDIDATES, "max_new_tokens": MAX_NEW_TOKENS} | changes
        return sample(tiny_model, sharp_params, batch, key, **options)

    return call


@pytest.fixture(scope="module")
def drawn(sample_tiny):
    return sample_tiny()


@pytest.fixture
def compiled_programs():
    """The names of the programs that XLA compiles, or finds compiled, as they come."""
    names = []

    def watch(event, _duration, **attributes):
        if event.endswith("backend_compile_duration"):
            names.append(attributes["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(watch)
    yield names
    jax.monitoring.unregister_event_duration_listener(watch)


@pytest.fixture
def decode_calls(monkeypatch):
    """The rows that each call of the decode loop is given, and what it draws."""
    calls, program = [], engine.decode

    def call(model, params, prefix, ring, rows, *others, **options):
        result = program(model, params, prefix, ring, rows, *others, **options)
        calls.append((rows, result[2]))
        return result

    call.lower = program.lower
    monkeypatch.setattr(engine, "decode", call)
    return calls


@pytest.fixture(scope="module")
def score(tiny_model, sharp_params, prompts):
    """Log-probabilities of completions by one full forward, at highest precision."""

    def call(completions, model=tiny_model, prompts=prompts):
        _, num_candidates, num_new = completions.tokens.shape
        asked, asked_mask = (np.repeat(part, num_candidates, axis=0) for part in prompts)
        tokens = completions.tokens.reshape(-1, num_new)
        mask = completions.completion_mask.reshape(-1, num_new)
        rows, real = np.hstack([asked, tokens]), np.hstack([asked_mask, mask])
        with jax.default_matmul_precision("highest"):
            logits, _ = jax.jit(model.apply)(sharp_params, rows, real)
        # The logits at a position predict the next token, so those of completions start one early.
        logprobs = jax.nn.log_softmax(logits[:, -num_new - 1 : -1])
        picked = np.take_along_axis(np.asarray(logprobs), tokens[..., None], axis=-1)[..., 0]
        return np.where(mask, picked, 0.0).reshape(completions.tokens.shape)

    return call


def test_logprobs_are_the_full_forwards(drawn, score):
    # Relative, too: these sharp parameters make log-probabilities of -8, whose rounding grows.
    np.testing.assert_allclose(drawn.logprobs, score(drawn), atol=1e-4, rtol=1e-5)


def test_logprobs_are_at_temperature_one_and_unfiltered(sample_tiny, score):
    hot = sample_tiny(sampling_params=SamplingParams(2.5, top_k=5))
    np.testing.assert_allclose(hot.logprobs, score(hot), atol=1e-4)


def test_logprobs_are_the_full_forwards_beside_the_window_of_longrope(
    tiny_model, sharp_params, score
):
    """On both sides of it: the prompts that `jaxgap improve` lets pass."""
    half = tiny_model.config.head_dim // 2
    scaling = LongRope((1.0,) * half, (0.25,) * half, original_length=12, magnitude=1.2)
    config = dataclasses.replace(tiny_model.config, rope_scaling=scaling)
    model = LanguageModel(config, tiny_model.tokenizer)
    prompts = encode_prompts(model.tokenizer, ["1+2=", "123456+12345="], 13)
    drawn = sample(
        model, sharp_params, prompts, KEY, num_candidates=2, max_new_tokens=8, stop_ids=()
    )
    assert drawn.completion_mask.all()
    np.testing.assert_allclose(drawn.logprobs, score(drawn, model, prompts), atol=1e-4)


def test_logprobs_are_the_full_forwards_where_keys_lie_in_blocks(sample_tiny, score):
    long = sample_tiny(max_new_tokens=150, stop_ids=())  # a ring of 32 slots, 64, 128 and 192
    assert long.completion_mask.all()
    np.testing.assert_allclose(long.logprobs, score(long), atol=1e-4, rtol=1e-5)


def test_tokens_invert_the_cdf_of_the_full_forward(tiny_model, sharp_params, prompts, drawn):
    rows = drawn.tokens.shape[0] * NUM_CANDIDATES
    tokens, mask = (
        np.concatenate([np.repeat(prompt, NUM_CANDIDATES, axis=0), part.reshape(rows, -1)], axis=1)
        for prompt, part in zip(prompts, (drawn.tokens, drawn.completion_mask), strict=True)
    )
    logits, _ = jax.jit(tiny_model.apply)(sharp_params, tokens, mask)
    predicting = np.asarray(jax.nn.softmax(logits), np.float64)[:, prompts.tokens.shape[1] - 1 :]
    cumulative = np.cumsum(predicting[:, :-1], axis=-1)
    steps = jnp.broadcast_to(jnp.arange(MAX_NEW_TOKENS), (rows, MAX_NEW_TOKENS))
    uniforms = row_uniforms(KEY, jnp.arange(rows), steps)
    distance = cumulative - np.asarray(uniforms)[..., None]
    expected = (distance <= 0).sum(-1)
    certain = drawn.completion_mask.reshape(rows, -1) & (np.abs(distance).min(-1) > 1e-4)
    assert certain.sum() > 100
    np.testing.assert_array_equal(drawn.tokens.reshape(rows, -1)[certain], expected[certain])


@pytest.mark.parametrize("filters", [{}, {"top_k": 5, "top_p": 0.8}])
def test_double_precision_elsewhere_changes_nothing(sample_tiny, filters):
    sampling_params = SamplingParams(**filters)
    single = sample_tiny(sampling_params=sampling_params)
    with jax.enable_x64(True):
        double = sample_tiny(sampling_params=sampling_params)
    np.testing.assert_array_equal(double.tokens, single.tokens)
    np.testing.assert_allclose(double.logprobs, single.logprobs, atol=1e-6)


def test_a_row_ends_at_its_end_token(tiny_model, drawn):
    eos, pad = tiny_model.tokenizer.eos_id, tiny_model.tokenizer.pad_id
    lengths = drawn.completion_mask.sum(-1)
    assert set(drawn.finished.ravel()) == {True, False}
    assert drawn.num_tokens == lengths.sum()
    for index in np.ndindex(lengths.shape):
        tokens, length, finished = drawn.tokens[index], lengths[index], drawn.finished[index]
        assert (tokens[length:] == pad).all()
        assert eos not in tokens[: length - 1]
        assert (tokens[length - 1] == eos) == finished
        assert finished or length == MAX_NEW_TOKENS
        prompt, candidate = index
        assert drawn.texts[prompt][candidate] == tiny_model.tokenizer.decode(tokens[:length])


def test_refilled_rows_equal_those_sampled_at_once(sample_tiny, drawn):
    # Five rows for fifteen completions: rows, groups and the ring's slots are used again.
    refilled = sample_tiny(rows_at_once=5)
    np.testing.assert_array_equal(refilled.tokens, drawn.tokens)
    np.testing.assert_allclose(refilled.logprobs, drawn.logprobs, atol=1e-4)


@pytest.mark.parametrize("impl", ["rbg", pytest.param("unsafe_rbg", marks=pytest.mark.slow)])
def test_rows_refilled_are_the_same_under_keys_of_other_kinds(sample_tiny, impl):
    key = jax.random.key(0, impl=impl)
    at_once, refilled = (sample_tiny(key=key, rows_at_once=rows) for rows in (15, 5))
    np.testing.assert_array_equal(refilled.tokens, at_once.tokens)
    assert (sample_tiny(key=jax.random.key(1, impl=impl)).tokens != at_once.tokens).any()


def test_ended_rows_are_replaced_while_others_wait(sample_tiny, decode_calls):
    # 15 completions of 1 to 38 tokens on four rows. A row that is not refilled would stand empty
    # until the longest of four ends, as in a batch that is decoded to its end.
    limits = np.random.default_rng(0).permutation(np.arange(1, 41, 40 / 15)).astype(int)
    cut = sample_tiny(max_new_tokens=limits.reshape(5, 3), stop_ids=(), rows_at_once=4)
    assert cut.num_tokens == limits.sum()
    in_batches = sum(limits[first : first + 4].max() for first in range(0, 15, 4))
    num_steps = sum(int(drawn.mask.any(0).sum()) for _, drawn in decode_calls)
    assert num_steps <= 0.8 * in_batches
    assert num_steps <= limits.sum() / 4 + limits.max()


def test_a_single_row_that_ended_is_replaced_at_the_next_call(sample_tiny, decode_calls):
    """Too few to interrupt a call, or to prefill once more, but not to wait any longer."""
    limits = np.full((5, 8), 40)
    limits[2, 0] = 3
    sample_tiny(num_candidates=8, max_new_tokens=limits, stop_ids=(), rows_at_once=32)
    assert [rows.live.sum() for rows, _ in decode_calls[:2]] == [32, 32]


def test_a_row_does_not_depend_on_its_batch_mates(sample_tiny, prompts, drawn):
    # The last prompt becomes another one: the others' results stay.
    tokens, mask = np.array(prompts.tokens), np.array(prompts.mask)
    tokens[-1], mask[-1] = tokens[0], mask[0]
    again = sample_tiny(TokenBatch(tokens, mask))
    np.testing.assert_array_equal(again.tokens[:-1], drawn.tokens[:-1])
    np.testing.assert_allclose(again.logprobs[:-1], drawn.logprobs[:-1], atol=1e-4)
    assert (again.tokens[-1] != drawn.tokens[-1]).any()


def test_wider_padding_changes_nothing(tiny_model, sample_tiny, drawn):
    wider = encode_prompts(tiny_model.tokenizer, PROMPTS, 31)
    np.testing.assert_array_equal(sample_tiny(wider).tokens, drawn.tokens)


def test_a_limit_of_each_completion(sample_tiny, drawn):
    limits = np.arange(1, 16).reshape(5, 3)
    cut = sample_tiny(max_new_tokens=limits)
    lengths = cut.completion_mask.sum(-1)
    np.testing.assert_array_equal(
        lengths, np.minimum(limits, drawn.completion_mask.sum(-1)[: len(limits)])
    )
    kept = np.arange(15) < lengths[..., None]
    np.testing.assert_array_equal(cut.tokens[kept], drawn.tokens[..., :15][kept])


def test_no_completion_leaves_the_context(tiny_model, sharp_params, prompts):
    config = dataclasses.replace(tiny_model.config, context_length=25)
    short = LanguageModel(config, tiny_model.tokenizer)
    drawn = sample(
        short, sharp_params, prompts, KEY, num_candidates=2, max_new_tokens=30, stop_ids=()
    )
    room = 25 - prompts.mask.sum(1)
    np.testing.assert_array_equal(
        drawn.completion_mask.sum(-1), np.minimum(room, 30)[:, None] * [1, 1]
    )


def test_stop_strings_end_a_row_across_tokens(tiny_model, sample_tiny, drawn):
    # Two characters are two tokens, drawn in calls of the loop that may end between them.
    strings = ("11", "+", "0=")
    stopped = sample_tiny(stop_strings=strings)
    decode_ids = tiny_model.tokenizer.decode
    num_stopped = 0
    for index in np.ndindex(drawn.finished.shape):
        prompt, candidate = index
        text, free = stopped.texts[prompt][candidate], drawn.texts[prompt][candidate]
        ends = [free.find(string) for string in strings if string in free]
        assert text == (free[: min(ends)] if ends else free)
        if ends:
            num_stopped += 1
            begun = [decode_ids(drawn.tokens[index][:length]) for length in range(41)]
            holding = [any(string in text for string in strings) for text in begun]
            assert stopped.finished[index]
            assert stopped.completion_mask[index].sum() == holding.index(True)
    assert num_stopped > 5


def test_several_stop_tokens(tiny_model, sample_tiny, drawn):
    stops = tiny_model.tokenizer.encode("5=")
    stopped = sample_tiny(stop_ids=stops)
    lengths = stopped.completion_mask.sum(-1)
    last = np.take_along_axis(stopped.tokens, lengths[..., None] - 1, axis=-1)[..., 0]
    np.testing.assert_array_equal(np.isin(last, stops), stopped.finished)
    assert stopped.finished.sum() > 5
    assert all("5" not in text and "=" not in text for row in stopped.texts for text in row)


@pytest.mark.parametrize("rows_at_once", [3, 128])
def test_completions_may_end_at_their_first_token(sample_tiny, drawn, rows_at_once):
    limits = np.where(np.arange(15).reshape(5, 3) % 4 == 0, 1, 6)
    stop = int(drawn.tokens[1, 2, 0])
    seen = []
    found = sample_tiny(
        max_new_tokens=limits,
        stop_ids=(stop,),
        rows_at_once=rows_at_once,
        on_progress=lambda progress: seen.append(progress.num_ended),
    )
    at_first = drawn.tokens[..., 0] == stop
    assert 0 < at_first.sum() < at_first.size
    np.testing.assert_array_equal(found.tokens[..., 0], drawn.tokens[..., 0])
    np.testing.assert_array_equal(found.lengths == 1, at_first | (limits == 1))
    assert found.finished[at_first].all()
    assert seen[-1] == 15


def test_a_token_each_needs_no_decoding(sample_tiny, drawn, monkeypatch):
    monkeypatch.delattr("jaxgap.sampling.engine.decode")
    found = sample_tiny(max_new_tokens=1)
    np.testing.assert_array_equal(found.tokens[..., 0], drawn.tokens[..., 0])


@pytest.mark.parametrize("window", [3, 7])
def test_logprobs_are_the_full_forwards_in_a_sliding_window(
    tiny_model, sharp_params, prompts, score, window
):
    """Completions grow until the window is beyond their prompt."""
    config = dataclasses.replace(tiny_model.config, sliding_window=window)
    model = LanguageModel(config, tiny_model.tokenizer)
    drawn = sample(
        model, sharp_params, prompts, KEY, num_candidates=2, max_new_tokens=12, stop_ids=()
    )
    assert drawn.completion_mask.all()
    np.testing.assert_allclose(drawn.logprobs, score(drawn, model), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_each_prompt_is_read_once(tiny_model, sharp_params, monkeypatch, seed):
    """However rows become free: a second reading would draw second first tokens."""
    rng, read = np.random.default_rng(seed), []

    def count(model, params, tokens):
        read.extend({tuple(row) for row in np.asarray(tokens.tokens).tolist()})
        return prefill(model, params, tokens)

    monkeypatch.setattr("jaxgap.sampling.prefix_cache.prefill", count)
    texts = [f"{number}+{number}=" for number in rng.permutation(40)[:13]]
    prompts = encode_prompts(tiny_model.tokenizer, texts, 8)
    found = sample(
        tiny_model,
        sharp_params,
        prompts,
        KEY,
        num_candidates=5,
        max_new_tokens=rng.integers(1, 9, (13, 5)),
        stop_ids=(int(rng.integers(2, 12)),),
        rows_at_once=9,
    )
    assert sorted(read) == sorted(set(read))
    assert len(read) == 13
    assert (found.lengths >= 1).all()


def test_a_ring_is_gone_when_sampling_ends(sample_tiny):
    """Not only once Python looks for garbage: the next call would hold a second one."""
    sample_tiny()
    before = len(jax.live_arrays())
    gc.disable()
    try:
        sample_tiny()
        assert len(jax.live_arrays()) == before
    finally:
        gc.enable()


def test_progress_is_reported(sample_tiny, drawn):
    seen = []
    sample_tiny(on_progress=seen.append)
    assert [each.num_tokens for each in seen] == sorted(each.num_tokens for each in seen)
    assert seen[-1].num_ended == seen[-1].num_completions == 15
    assert seen[-1].num_tokens == drawn.num_tokens


def test_sampling_params_compile_nothing(sample_tiny, drawn, compiled_programs):
    for sampling_params in (
        SamplingParams(0.4),
        SamplingParams(top_k=3),
        SamplingParams(1.2, 6, 0.8, 0.05),
    ):
        sample_tiny(sampling_params=sampling_params, key=jax.random.key(7))
    # Fewer rows are decoded at the end, or not, as completions happen to end.
    assert compiled_programs.count("jit(decode)") <= 2
    sample_tiny(sampling_params=SamplingParams(1.1, 6, 0.8, 0.05), key=jax.random.key(7))
    compiled_programs.clear()
    sample_tiny(
        sampling_params=SamplingParams(1.1, 7, 0.8, 0.05), key=jax.random.key(7), max_new_tokens=39
    )
    assert "jit(decode)" not in compiled_programs


def test_mean_uncertainty_is_the_entropy_of_an_enumerated_policy(tiny_model, sharp_params):
    # Cut after one token, a response is that token, so the policy can be written out.
    prompts = encode_prompts(tiny_model.tokenizer, ["1+2="], 4)
    num_draws = 4_000
    drawn = sample(
        tiny_model,
        sharp_params,
        prompts,
        jax.random.key(5),
        num_candidates=num_draws,
        max_new_tokens=1,
        rows_at_once=num_draws,
    )
    logits, _ = tiny_model.apply(sharp_params, *prompts)
    logprobs = np.asarray(jax.nn.log_softmax(logits[0, -1]), np.float64)
    entropy = -(np.exp(logprobs) * logprobs).sum()
    spread = np.sqrt((np.exp(logprobs) * (logprobs + entropy) ** 2).sum() / num_draws)
    assert abs(-drawn.logprobs.mean() - entropy) < 4 * spread


def test_parameters_may_be_of_numpy(tiny_model, sharp_params, prompts, drawn):
    params = jax.tree.map(np.asarray, sharp_params)
    options = {"num_candidates": NUM_CANDIDATES, "max_new_tokens": MAX_NEW_TOKENS}
    again = sample(tiny_model, params, prompts, KEY, **options)
    np.testing.assert_array_equal(again.tokens, drawn.tokens)


@pytest.mark.parametrize(("is_bound", "length"), [(False, 44), (True, 42)])  # no test's sizes
def test_programs_are_compiled_once_and_before_their_ring_is_there(
    tiny_model, sharp_params, monkeypatch, compiled_programs, is_bound, length
):
    params = jax.device_put(sharp_params, jax.devices()[0]) if is_bound else sharp_params
    assert all(leaf.committed == is_bound for leaf in jax.tree.leaves(params))
    events = compiled_programs

    def rings(name):
        made = getattr(engine, name)

        def make(*arguments):
            events.append("a ring")
            return made(*arguments)

        monkeypatch.setattr(engine, name, make)

    rings("init_ring")
    rings("rearranged_ring")
    prompts = encode_prompts(tiny_model.tokenizer, ["1+2=", "34+5="], 7)
    options = {"num_candidates": 5, "max_new_tokens": length, "stop_ids": ()}
    sample(tiny_model, params, prompts, KEY, **options)
    reported = [event for event in events if event in ("jit(decode)", "a ring")]
    assert reported == ["jit(decode)", "a ring"] * 2


def test_memory_is_the_cache_and_little_more(tiny_model, sharp_params):
    # Compiled, not run: what the loop holds besides its arguments is less than one layer's ring
    # and two copies of the logits, so neither weights nor cache are copied.
    rows, slots = 64, 256
    ring = init_ring(ring_shapes(tiny_model.config, rows, slots, jnp.float32))
    prompts = TokenBatch(np.zeros((16, 24), np.int32), np.ones((16, 24), bool))
    prefix, _ = prefill(tiny_model, sharp_params, prompts)
    ints = jnp.zeros(rows, jnp.int32)
    state = Rows(ints, ints, ints, jnp.zeros(rows, bool), ints)
    arguments = (prefix, ring, state, KEY, SamplingParams().traced(), ints[:1], jnp.int32(1))
    compiled = decode.lower(tiny_model, sharp_params, *arguments, max_steps=16).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    ring_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(ring))
    assert memory.alias_size_in_bytes >= ring_bytes
    assert memory.temp_size_in_bytes < ring_bytes / 4


def test_a_mask_of_zeros_and_ones_is_a_mask(sample_tiny, prompts, drawn):
    ones = sample_tiny(TokenBatch(prompts.tokens, np.asarray(prompts.mask, np.int64)))
    np.testing.assert_array_equal(ones.tokens, drawn.tokens)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_candidates": 0}, "num_candidates must be a whole number of at least 1, got 0"),
        ({"rows_at_once": 0}, "rows_at_once must be a whole number of at least 1, got 0"),
        ({"rows_at_once": 2.5}, "rows_at_once must be a whole number of at least 1, got 2.5"),
        ({"stop_ids": 3}, "stop_ids must be several tokens, got 3"),
        ({"max_new_tokens": 0}, "max_new_tokens must be whole numbers of at least 1"),
        ({"max_new_tokens": 4.0}, "max_new_tokens must be whole numbers"),
        ({"max_new_tokens": np.ones((2, 2), int)}, "one a completion"),
        ({"stop_ids": (10**6,)}, "must be tokens from 0 to .*, got 1000000; was the text encoded"),
        ({"stop_ids": (-1,)}, "must be tokens from 0 to .*, got -1"),
        ({"stop_strings": "Q:"}, "stop_strings must be several texts, none of them empty"),
        ({"stop_strings": ("Q:", "")}, "stop_strings must be several texts, none of them empty"),
    ],
)
def test_arguments_out_of_range_are_refused(sample_tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        sample_tiny(**changes)
