"""External data: responses of a stronger model in place of the model's own selected ones.

Each is used in one round, in which it replaces the completion selected for its prompt (Sun et al.,
arXiv:2507.00075, section 5). How many are used in which round is decided in `allocation.py`.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int

from jaxgap.errors import InputError
from jaxgap.improve.allocation import ends_of_rounds
from jaxgap.improve.round_records import TrainingSet
from jaxgap.models import AbstractTokenizer
from jaxgap.tasks import Problem
from jaxgap.tasks.problem import normal_prompt
from jaxgap.tasks.records import Record, read_records


@dataclasses.dataclass(frozen=True, eq=False)
class ExternalResponses:
    """Responses to training prompts, and when each is used.

    **Fields:**

    - `prompts`: the index of the training prompt each one answers, in order of use.
    - `responses`: their token ids, including the end token.
    - `ends`: how many have been used after each round.
    """

    prompts: Int[np.ndarray, " responses"]
    responses: tuple[Sequence[int], ...]
    ends: Int[np.ndarray, " rounds"]

    def replace(self, round_index: int, training_set: TrainingSet) -> TrainingSet:
        """The training set of round `round_index`, with its external responses substituted."""
        if round_index >= len(self.ends):
            return training_set
        start = 0 if round_index == 0 else int(self.ends[round_index - 1])
        used = range(start, int(self.ends[round_index]))
        width = max([training_set.tokens.shape[1], *(len(self.responses[i]) for i in used)])
        tokens, mask = (
            np.pad(array, ((0, 0), (0, width - array.shape[1]))) for array in training_set
        )
        for index in used:
            row, response = self.prompts[index], self.responses[index]
            tokens[row], mask[row] = 0, False
            tokens[row, : len(response)], mask[row, : len(response)] = response, True
        return TrainingSet(tokens, mask)


def read_external(
    path: str | Path,
    problems: Sequence[Problem],
    tokenizer: AbstractTokenizer,
    key: jax.Array,
    *,
    eta: Sequence[float],
    max_new_tokens: int,
) -> ExternalResponses:
    """Read external responses from a file of JSON lines with the fields `prompt` and `response`.

    **Arguments:**

    - `path`: the file. A response may end with one of the model's end tokens, which counts once.
    - `problems`: the training problems; each response must answer a different one of them. A
        `prompt` is the text of a problem; white space and case may differ unless that makes it
        ambiguous.
    - `tokenizer`: the model's.
    - `key`: random key for the order in which responses are used.
    - `eta`: the share of each round, as returned by :func:`jaxgap.improve.allocation.shares`.
    - `max_new_tokens`: maximum length of a response, including the end token.

    **Raises:** `InputError` with file, line and field, or if the file contains no response.
    """
    row_of = _rows_of(problems)
    found: dict[int, list[int]] = {}
    for record in read_records(path):
        row = row_of(record)
        if row in found:
            record.refuse("prompt", "was answered on an earlier line")
        response = record.text("response")
        try:
            tokens = _reply(response, tokenizer)
        except ValueError as error:
            record.refuse("response", str(error))
        if len(tokens) > max_new_tokens:
            record.refuse("response", f"has {len(tokens)} tokens, above {max_new_tokens=}")
        found[row] = tokens
    if not found:
        raise InputError(f"{path}: holds no responses: leave the file out, or give one with some")
    rows = np.array(list(found))
    order = rows[np.asarray(jax.random.permutation(key, len(rows)))]
    responses = tuple(found[int(row)] for row in order)
    return ExternalResponses(order, responses, ends_of_rounds(eta, len(rows)))


def _reply(response: str, tokenizer: AbstractTokenizer) -> list[int]:
    """A response in tokens, with one end token, however the response itself ends.

    **Raises:** `ValueError` if it has another special token: it would teach the model to go on
    after the end of its reply, or to speak as the user.
    """
    plain = tokenizer.without_special_tokens(response)
    if plain != response:
        # A space was inserted after the first character of the first special token.
        places = zip(itertools.count(), plain, response, strict=False)
        first = next((at for at, one, other in places if one != other), len(response)) - 1
        response, special = response[:first], response[first:].rstrip()
        ends = [[token] for token in tokenizer.stop_ids]
        if tokenizer.encode(special) not in ends:
            raise ValueError(
                f"has a special token of the model at {special[:20]!r}: take it out (a "
                "single end token at the very end may stay)"
            )
        if not response.strip():
            raise ValueError("has no text before its end token")
    return [*tokenizer.encode(response), tokenizer.reply_end_id]


def _rows_of(problems: Sequence[Problem]) -> Callable[[Record], int]:
    """A lookup of the problem that a record answers; it rejects records with none or several."""
    places = {problem.text: row for row, problem in enumerate(problems)}
    alike = collections.defaultdict(list)
    for text, row in places.items():
        alike[normal_prompt(text)].append(row)

    def row_of(record: Record) -> int:
        prompt = record.text("prompt")
        if prompt in places:
            return places[prompt]
        rows = alike.get(normal_prompt(prompt), ())
        if not rows:
            record.refuse("prompt", "is not one of the run's training prompts")
        if len(rows) > 1:
            record.refuse(
                "prompt",
                f"is one of {len(rows)} training prompts but for white space and case: write it "
                "as the run does",
            )
        return rows[0]

    return row_of
