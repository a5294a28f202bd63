"""Texts as rectangles of tokens: prompts padded on the left, completions on the right."""

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
    """Token ids of several texts, all ending in the last of `width` columns.

    **Arguments:**

    - `rows`: the ids of each, at most `width`.
    - `width`: columns, >= 1.
    - `pad_id`: what stands before them.

    **Returns:** tokens and mask, each of shape (rows, width).
    """
    tokens = np.full((len(rows), width), pad_id, np.int32)
    # By length: in many models the padding id is also a token that prompts contain.
    mask = np.zeros(tokens.shape, bool)
    for row, ids in enumerate(rows):
        tokens[row, width - len(ids) :] = ids
        mask[row, width - len(ids) :] = True
    return TokenBatch(tokens, mask)


def encode_prompts(
    tokenizer: AbstractTokenizer, texts: Sequence[str], width: int, *, begin: bool = True
) -> TokenBatch:
    """Encode texts, padded on the left to `width` tokens, so that all end in the last column.

    **Arguments:**

    - `tokenizer`: the model's.
    - `texts`: the prompts, plain or rendered.
    - `width`: columns, >= 1.
    - `begin`: as in `encode_batch`; of conversations that the tokenizer has rendered, its
        `begins_prompts`.

    **Returns:** tokens and mask, each of shape (texts, width).

    **Raises:** `ValueError` if a text is empty or has more than `width` tokens.
    """
    rows = tokenizer.encode_batch(texts, begin=begin)
    for ids, text in zip(rows, texts, strict=True):
        if not 0 < len(ids) <= width:
            raise ValueError(f"a prompt must have 1 to {width} tokens, got {len(ids)}: {text!r}")
    return pad_left(rows, width, tokenizer.pad_id)
