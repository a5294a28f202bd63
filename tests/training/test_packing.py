"""Packed rows hold every token once, and the model sees each text as if it stood alone."""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling import TokenBatch
from jaxgap.training import BatchShape, Examples, pack
from jaxgap.training.packing import first_fit_decreasing


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40))
def test_every_example_has_its_place_and_no_row_is_overfull(lengths):
    rows = first_fit_decreasing(lengths, 20)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 20 for row in rows)
    # Half full on average, or two rows would have been one.
    assert len(rows) <= 1 or sum(lengths) > 10 * (len(rows) - 1)


def test_a_batch_holds_the_examples_and_nothing_else(examples):
    batch = pack(examples, BatchShape(4, 2, 16))
    lengths = examples.prompts.mask.sum(1) + examples.completion_mask.sum(1) - 1
    assert batch.num_tokens == lengths.sum()
    assert (batch.weights > 0).sum() == examples.completion_mask.sum()
    np.testing.assert_allclose(batch.weights[batch.weights > 0], 1 / 8)
    read = []
    rows = [field.reshape(-1, 16) for field in batch]
    for tokens, segments, positions, targets, weights in zip(*rows, strict=True):
        for segment in range(1, segments.max() + 1):
            places = np.flatnonzero(segments == segment)
            assert (np.diff(places) == 1).all()
            mine = np.isin(positions, places) & (weights > 0)
            read.append((tokens[places].tolist(), targets[mine].tolist()))
            assert positions[mine].tolist() == places[len(places) - mine.sum() :].tolist()
    expected = []
    for row in range(8):
        prompt = examples.prompts.tokens[row][examples.prompts.mask[row]].tolist()
        completion = examples.tokens[row][examples.completion_mask[row]].tolist()
        expected.append(((prompt + completion)[:-1], completion))
    assert sorted(read) == sorted(expected)


def test_the_shape_is_the_same_whatever_the_lengths(examples):
    shape = BatchShape.of(batch_size=8, rows=3, row_length=13)
    short = Examples(examples.prompts, examples.tokens[:, :1], examples.completion_mask[:, :1])
    shapes = [jax.tree.map(np.shape, pack(each, shape)) for each in (examples, short)]
    assert shapes[0] == shapes[1]
    assert shapes[0].tokens == (3, 3, 13)


def test_masks_of_zeros_and_ones_are_masks(examples):
    """As other libraries have them; they would be indices."""
    prompts = TokenBatch(examples.prompts.tokens, np.asarray(examples.prompts.mask, np.int64))
    ones = Examples(prompts, examples.tokens, np.asarray(examples.completion_mask, np.int64))
    shape = BatchShape(4, 2, 16)
    jax.tree.map(np.testing.assert_array_equal, pack(ones, shape), pack(examples, shape))


def test_what_does_not_fit_is_refused(examples):
    with pytest.raises(ValueError, match="row_length must be at least 11, the longest example"):
        pack(examples, BatchShape(8, 1, 10))
    with pytest.raises(ValueError, match="the examples need"):
        pack(examples, BatchShape(1, 2, 16))


def test_a_prompt_without_a_token_is_refused(examples):
    tokens, mask = examples.prompts
    mask = np.where(np.arange(8)[:, None] == 3, False, mask)
    with pytest.raises(ValueError, match="prompts must have a token each, got none in row 3"):
        pack(examples._replace(prompts=TokenBatch(tokens, mask)), BatchShape(4, 2, 16))


def test_no_examples_are_refused(examples):
    none = Examples(
        TokenBatch(*(part[:0] for part in examples.prompts)), *(p[:0] for p in examples[1:])
    )
    with pytest.raises(ValueError, match="examples must be at least one, got none"):
        pack(none, BatchShape(1, 1, 16))
