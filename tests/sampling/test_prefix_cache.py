"""Every group has its own prompt, and none is read while another group has it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling import pad_left, prefix_cache
from jaxgap.sampling.prefix import prefill
from jaxgap.sampling.prefix_cache import PrefixCache, prompts_at_once

NUM_GROUPS = 3
LENGTHS = (1, 3, 8, 9, 20)  # in ascending length, as they are scheduled; the buckets are 8, 12, 24


@pytest.fixture(scope="module")
def token_ids():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 12, length).astype(np.int32) for length in LENGTHS]


@pytest.fixture(scope="module")
def alone(tiny_model, tiny_params, token_ids):
    """The keys, values and next logits of each prompt, read by itself without padding."""

    def read(ids):
        tokens = pad_left([ids], len(ids), tiny_model.tokenizer.pad_id)
        prefixes, logits = prefill(tiny_model, tiny_params, tokens)
        return prefixes.keys[1][0], prefixes.values[1][0], logits[0]

    return [read(ids) for ids in token_ids]


def test_prefills_are_powers_of_two_of_limited_tokens():
    for num_slots in range(1, 3000, 7):
        num_prompts = prompts_at_once(num_slots)
        assert num_prompts & (num_prompts - 1) == 0
        assert num_prompts == 1 or num_prompts * num_slots <= 1024
        assert 2 * num_prompts * num_slots > 1024


@given(st.lists(st.integers(0, NUM_GROUPS - 1), max_size=6), st.permutations(range(NUM_GROUPS)))
def test_groups_have_their_own_prompts(tiny_model, tiny_params, token_ids, alone, turns, order):
    with pytest.MonkeyPatch.context() as patch:
        num_read, logits = [], {}

        def read(model, params, tokens):
            num_read.append(len({tuple(row) for row in np.asarray(tokens.tokens).tolist()}))
            return prefill(model, params, tokens)

        def on_read(prompts, found):
            logits.update(zip(prompts, found[: len(prompts)], strict=True))

        patch.setattr(prefix_cache, "prefill", read)
        cache = PrefixCache(tiny_model, tiny_params, token_ids, NUM_GROUPS)
        prompts = np.arange(NUM_GROUPS)
        cache.load(range(NUM_GROUPS), prompts, on_read)
        for group in turns:  # to the next prompt, which another group may have
            prompts[group] = min(prompts[group] + 1, len(LENGTHS) - 1)
            before = sum(num_read)
            is_shared = np.count_nonzero(prompts == prompts[group]) > 1
            cache.load([group], prompts, on_read)
            assert sum(num_read) - before <= (not is_shared)
        cache.keep(np.array(order))
    for group, prompt in enumerate(prompts[list(order)]):
        valid = np.asarray(cache.prefixes.valid[group])
        assert valid.sum() == LENGTHS[prompt]
        keys, values = cache.prefixes.keys[1][group], cache.prefixes.values[1][group]
        np.testing.assert_allclose(keys[..., valid], alone[prompt][0], atol=1e-4)
        np.testing.assert_allclose(values[:, valid], alone[prompt][1], atol=1e-4)
        np.testing.assert_allclose(logits[prompt], alone[prompt][2], atol=1e-4)
