"""What has been sampled so far, on the host, row by row of the output."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Int

from jaxgap.models import AbstractTokenizer
from jaxgap.sampling.completions import Completions, Progress
from jaxgap.sampling.decode import Drawn
from jaxgap.sampling.stopping import before_stop, tokens_to_stop


@dataclasses.dataclass(frozen=True)
class Stop:
    """What ends a completion.

    **Fields:**

    - `ids`: any of these tokens.
    - `strings`: any of these texts, as soon as it appears.
    """

    ids: tuple[int, ...]
    strings: tuple[str, ...]


class Transcript:
    """The completions as they grow; row `p * num_candidates + c` is candidate c of prompt p.

    **Arguments:**

    - `tokenizer`: turns them into text.
    - `stop`: what ends them.
    - `limits`: the most tokens of each.

    **Attributes:**

    - `tokens`, `logprobs`: what was drawn, up to each row's length.
    - `lengths`: number of tokens drawn.
    - `finished`: whether a row came to its end.
    - `ended`: whether it did, or was cut at its limit.
    """

    def __init__(
        self,
        tokenizer: AbstractTokenizer,
        stop: Stop,
        limits: Int[np.ndarray, "prompts candidates"],
    ):
        self._tokenizer, self.stop = tokenizer, stop
        self.shape, self.limits = limits.shape, limits.ravel()
        num_rows = self.limits.size
        self.tokens = np.full((num_rows, limits.max()), tokenizer.pad_id, np.int32)
        self.logprobs = np.zeros(self.tokens.shape, np.float32)
        self.lengths = np.zeros(num_rows, np.int32)
        self.finished = np.zeros(num_rows, bool)

    @property
    def ended(self) -> Bool[np.ndarray, " rows"]:
        return self.finished | (self.lengths == self.limits)

    def add(self, rows: Int[np.ndarray, " live"], drawn: Drawn) -> None:
        """Append what these rows have drawn."""
        before = self.lengths[rows]
        live, step = np.nonzero(drawn.mask)
        row, column = rows[live], before[live] + step
        self.tokens[row, column] = drawn.tokens[live, step]
        self.logprobs[row, column] = drawn.logprobs[live, step]
        self.lengths[rows] = before + drawn.mask.sum(1)
        self.finished[rows] = np.isin(self.tokens[rows, self.lengths[rows] - 1], self.stop.ids)
        if self.stop.strings:
            for row, length in zip(rows, before, strict=True):
                self._cut_at_string(row, length)

    def _cut_at_string(self, row: int, num_checked: int) -> None:
        ids = self.tokens[row, : self.lengths[row]].tolist()
        length = tokens_to_stop(self._tokenizer, ids, num_checked, self.stop.strings)
        if length is not None:
            self.tokens[row, length:] = self._tokenizer.pad_id
            self.logprobs[row, length:] = 0
            self.lengths[row], self.finished[row] = length, True

    def progress(self) -> Progress:
        """How many rows have ended, and the tokens so far."""
        return Progress(int(self.ended.sum()), self.lengths.size, int(self.lengths.sum()))

    def completions(self) -> Completions:
        """All of it, by prompt and candidate."""
        steps = np.arange(self.tokens.shape[1])
        num_prompts, num_candidates = self.shape
        texts = [self._text(row) for row in range(self.lengths.size)]
        return Completions(
            tokens=self.tokens.reshape(*self.shape, -1),
            completion_mask=(steps < self.lengths[:, None]).reshape(*self.shape, -1),
            logprobs=self.logprobs.reshape(*self.shape, -1),
            finished=self.finished.reshape(self.shape),
            texts=tuple(
                tuple(texts[prompt * num_candidates : (prompt + 1) * num_candidates])
                for prompt in range(num_prompts)
            ),
        )

    def _text(self, row: int) -> str:
        ids = self.tokens[row, : self.lengths[row]].tolist()
        text = self._tokenizer.decode(ids[:-1] if ids[-1] in self.stop.ids else ids)
        before = before_stop(text, self.stop.strings)
        return text if before is None else before
