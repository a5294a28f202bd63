"""Host-side record of the completions sampled so far."""

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
    """The growing completions; number `p * num_candidates + c` is candidate c of prompt p.

    **Arguments:**

    - `tokenizer`: decodes them into text.
    - `stop`: what ends them.
    - `limits`: maximum number of tokens of each.

    **Attributes:**

    - `tokens`, `logprobs`: the drawn tokens, up to each completion's length.
    - `lengths`: number of tokens drawn.
    - `finished`: whether a completion reached a stop token or stop string.
    - `ended`: whether it is finished, or was cut at its limit.
    """

    def __init__(
        self,
        tokenizer: AbstractTokenizer,
        stop: Stop,
        limits: Int[np.ndarray, "prompts candidates"],
    ):
        self._tokenizer, self.stop = tokenizer, stop
        self.shape, self.limits = limits.shape, limits.ravel()
        self.tokens = np.full((limits.size, limits.max()), tokenizer.pad_id, np.int32)
        self.logprobs = np.zeros(self.tokens.shape, np.float32)
        self.lengths = np.zeros(limits.size, np.int32)
        self.finished = np.zeros(limits.size, bool)

    @property
    def ended(self) -> Bool[np.ndarray, " completions"]:
        return self.finished | (self.lengths == self.limits)

    def add(self, numbers: Int[np.ndarray, " live"], drawn: Drawn) -> None:
        """Append the tokens drawn for these completions."""
        before = self.lengths[numbers]
        live, step = np.nonzero(drawn.mask)
        number, column = numbers[live], before[live] + step
        self.tokens[number, column] = drawn.tokens[live, step]
        self.logprobs[number, column] = drawn.logprobs[live, step]
        self.lengths[numbers] = before + drawn.mask.sum(1)
        last = self.tokens[numbers, self.lengths[numbers] - 1]
        self.finished[numbers] = np.isin(last, self.stop.ids)
        if self.stop.strings:
            for number, length in zip(numbers, before, strict=True):
                self._cut_at_string(number, length)

    def _cut_at_string(self, number: int, num_checked: int) -> None:
        ids = self.tokens[number, : self.lengths[number]].tolist()
        length = tokens_to_stop(self._tokenizer, ids, num_checked, self.stop.strings)
        if length is not None:
            self.tokens[number, length:] = self._tokenizer.pad_id
            self.logprobs[number, length:] = 0
            self.lengths[number], self.finished[number] = length, True

    def progress(self) -> Progress:
        """The number of ended completions, and of tokens so far."""
        return Progress(int(self.ended.sum()), self.lengths.size, int(self.lengths.sum()))

    def completions(self) -> Completions:
        """The completions by prompt and candidate."""
        steps = np.arange(self.tokens.shape[1])
        num_prompts, num_candidates = self.shape
        texts = [self._text(number) for number in range(self.lengths.size)]
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

    def _text(self, number: int) -> str:
        ids = self.tokens[number, : self.lengths[number]].tolist()
        text = self._tokenizer.decode(ids[:-1] if ids[-1] in self.stop.ids else ids)
        before = before_stop(text, self.stop.strings)
        return text if before is None else before
