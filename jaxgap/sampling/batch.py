"""Rectangular batches of tokens: prompts are padded on the left, completions on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxgap.models import AbstractTokenizer, Mask, Tokens


class TokenBatch(NamedTuple):
    """Rows of tokens of equal length.

    **Fields:**

    - `tokens`: token ids, the padding id where `mask` is false.
    - `mask`: which tokens are real.
    """

    tokens: Tokens
    mask: Mask


def pad_left(rows: Sequence[Sequence[int] | np.ndarray], width: int, pad_id: int) -> TokenBatch:
    """Token ids of several texts, right-aligned in `width` columns.

    **Arguments:**

    - `rows`: the ids of each, at most `width`.
    - `width`: columns, >= 1.
    - `pad_id`: the padding id to their left.

    **Returns:** tokens and mask, each of shape (rows, width).
    """
    tokens = np.full((len(rows), width), pad_id, np.int32)
    # From lengths, not ids: in many models the padding id also occurs in prompts.
    mask = np.zeros(tokens.shape, bool)
    for row, ids in enumerate(rows):
        tokens[row, width - len(ids) :] = ids
        mask[row, width - len(ids) :] = True
    return TokenBatch(tokens, mask)


def encode_prompts(
    tokenizer: AbstractTokenizer, texts: Sequence[str], width: int, *, begin: bool = True
) -> TokenBatch:
    """Encode texts, padded on the left to `width` tokens.

    **Arguments:**

    - `tokenizer`: the model's.
    - `texts`: the prompts, plain or rendered.
    - `width`: columns, >= 1.
    - `begin`: as in `encode_batch`; for conversations rendered by the tokenizer, its
        `begins_prompts`.

    **Returns:** tokens and mask, each of shape (texts, width).

    **Raises:** `ValueError` if a text is empty or has more than `width` tokens.
    """
    rows = tokenizer.encode_batch(texts, begin=begin)
    for ids, text in zip(rows, texts, strict=True):
        if not 0 < len(ids) <= width:
            raise ValueError(f"a prompt must have 1 to {width} tokens, got {len(ids)}: {text!r}")
    return pad_left(rows, width, tokenizer.pad_id)
