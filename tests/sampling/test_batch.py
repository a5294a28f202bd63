"""Prompts become rows that end together, with what begins a sequence, and a mask by length."""

import numpy as np
import pytest
import tokenizers

from jaxgap.models import FastTokenizer
from jaxgap.sampling import encode_prompts, pad_left


@pytest.fixture
def tokenizer():
    """Padding is also the token that ends a turn; every sequence begins with token 1."""
    words = tokenizers.models.WordLevel(
        {"?": 0, "<s>": 1, "<end>": 2, "a": 3, "b": 4}, unk_token="?"
    )
    backend = tokenizers.Tokenizer(words)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<s>", "<end>"])
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single=["<s>", "$A"], special_tokens=[("<s>", 1)]
    )
    return FastTokenizer(backend, 5, (2,), 2, 1, None)


def test_the_mask_goes_by_length(tokenizer):
    texts = ["a <end> b", "b"]
    batch = encode_prompts(tokenizer, texts, 5)
    np.testing.assert_array_equal(batch.tokens, [[2, 1, 3, 2, 4], [2, 2, 2, 1, 4]])
    np.testing.assert_array_equal(batch.mask, [[0, 1, 1, 1, 1], [0, 0, 0, 1, 1]])


def test_what_is_rendered_begins_as_it_is(tokenizer):
    texts = ["<s> a", "b"]
    batch = encode_prompts(tokenizer, texts, 2, begin=False)
    np.testing.assert_array_equal(batch.tokens, [[1, 3], [2, 4]])


def test_prompts_must_fit(tokenizer):
    with pytest.raises(ValueError, match=r"a prompt must have 1 to 3 tokens, got 4: 'a a a'"):
        encode_prompts(tokenizer, ["a", "a a a"], 3)


def test_padding_may_be_a_token_of_the_text():
    # Many models have no padding token of their own, and use one that their prompts contain.
    batch = pad_left([[7, 1], [7, 7, 2, 3]], 6, 7)
    assert batch.mask.sum(1).tolist() == [2, 4]
    assert batch.tokens.tolist() == [[7, 7, 7, 7, 7, 1], [7, 7, 7, 7, 2, 3]]


@pytest.mark.parametrize("text", ["", "123456789"])
def test_prompts_that_do_not_fit_are_refused(tiny_model, text):
    with pytest.raises(ValueError, match="must have 1 to 8 tokens"):
        encode_prompts(tiny_model.tokenizer, [text], 8)
