"""Pack examples of unequal length end to end into rows of equal length, with little padding.

First-fit decreasing: longest example first, each into the first row that has room. It needs at most
11/9 of the minimum number of rows, plus 6/9 of a row (Dósa, "The tight bound of first fit
decreasing bin-packing algorithm is FFD(I) <= 11/9 OPT(I) + 6/9", 2007).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxgap.training.batch import BatchShape, Examples, TrainingBatch


def first_fit_decreasing(lengths: Sequence[int], row_length: int) -> list[list[int]]:
    """Which examples go into each row.

    **Arguments:**

    - `lengths`: lengths of the examples, each at most `row_length`.
    - `row_length`: capacity of a row.

    **Returns:** indices into `lengths`, one list per row.

    >>> first_fit_decreasing([3, 5, 2, 4], row_length=7)
    [[1, 2], [3, 0]]
    """
    rows: list[list[int]] = []
    room: list[int] = []
    # Negated, so that examples of equal length keep their order.
    for index in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        row = next((i for i, free in enumerate(room) if free >= lengths[index]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(row_length)
        rows[row].append(index)
        room[row] -= lengths[index]
    return rows


def pack(examples: Examples, shape: BatchShape) -> TrainingBatch:
    """Pack examples into a batch of the given shape.

    **Arguments:**

    - `examples`: up to `num_microbatches * rows` of them always fit, whatever their lengths.
    - `shape`: the shape of the batch.

    **Returns:** the batch, as NumPy arrays. Rows with similar numbers of predictions share a
    microbatch, and empty microbatches come last.

    **Raises:** `ValueError` if there is no example, a prompt has no token, an example is longer
    than a row, or there are too few rows.
    """
    if not len(examples.tokens):
        raise ValueError("examples must be at least one, got none")
    prompts, completions = _ragged(examples)
    _refuse_empty(prompts)
    lengths = [
        len(prompt) + len(completion) - 1
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    if max(lengths) > shape.row_length:
        raise ValueError(
            f"row_length must be at least {max(lengths)}, the longest example, got {shape}"
        )
    rows = first_fit_decreasing(lengths, shape.row_length)
    if len(rows) > shape.num_microbatches * shape.rows:
        raise ValueError(f"the examples need {len(rows)} rows, got {shape}")
    rows.sort(key=lambda row: -sum(len(completions[index]) for index in row))

    size = (shape.num_microbatches * shape.rows, shape.row_length)
    batch = TrainingBatch(*np.zeros((4, *size), np.int32), weights=np.zeros(size, np.float32))
    for row, indices in enumerate(rows):
        start = filled = 0
        for segment, index in enumerate(indices, 1):
            prompt, completion = prompts[index], completions[index]
            end, ahead = start + lengths[index], filled + len(completion)
            batch.tokens[row, start:end] = np.concatenate([prompt, completion])[:-1]
            batch.segments[row, start:end] = segment
            batch.target_positions[row, filled:ahead] = np.arange(start + len(prompt) - 1, end)
            batch.targets[row, filled:ahead] = completion
            start, filled = end, ahead
        batch.weights[row, :filled] = 1 / len(prompts)
    return TrainingBatch(*(field.reshape(-1, shape.rows, shape.row_length) for field in batch))


def _refuse_empty(prompts: Sequence[np.ndarray]) -> None:
    """Reject empty prompts: a completion's first token is predicted from its prompt's last."""
    for index, prompt in enumerate(prompts):
        if not len(prompt):
            raise ValueError(f"prompts must have a token each, got none in row {index}")


def _ragged(examples: Examples) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Prompts and completions without their padding."""

    def rows(tokens, mask) -> list[np.ndarray]:
        tokens, mask = np.asarray(tokens), np.asarray(mask, bool)  # zeros and ones would be indices
        return [row[real] for row, real in zip(tokens, mask, strict=True)]

    return rows(*examples.prompts), rows(examples.tokens, examples.completion_mask)
