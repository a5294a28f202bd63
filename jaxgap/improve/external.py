"""External data: responses of a stronger model in place of the model's own selected ones.

A budget of responses is spread over the rounds by shares `eta_t >= 0` with `sum_t eta_t = 1`. In
round t that part of them replaces what was selected for their prompts; each is used once (Sun et
al., arXiv:2507.00075, section 5).
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int

from jaxgap.errors import InputError
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.records import TrainingSet
from jaxgap.models import AbstractTokenizer
from jaxgap.tasks import Problem
from jaxgap.tasks.problem import normal_prompt
from jaxgap.tasks.records import Record, read_records

# Shares typed by a person sum to one within this, as a planned schedule's do, and are scaled to it.
_SUM_TOLERANCE = 1e-3
_ROUNDING = 1e-9  # of a sum of shares, times a number of responses


def shares(allocation: str, num_rounds: int) -> tuple[float, ...]:
    """The share `eta_t` of each round.

    **Arguments:**

    - `allocation`: `early` (all in the first round), `uniform`, `late` (all in the last), or the
        shares themselves separated by commas; within 0.1 % of one in sum, they are scaled to it.
        Rounds beyond them get none.
    - `num_rounds`: of the run.

    **Raises:** `InputError` if it is none of these, or the shares do not sum to 1.

    >>> shares("uniform", 4), shares("0.5,0.5", 3)
    ((0.25, 0.25, 0.25, 0.25), (0.5, 0.5, 0.0))
    """
    match allocation:
        case "early":
            return (1.0,) + (0.0,) * (num_rounds - 1)
        case "late":
            return (0.0,) * (num_rounds - 1) + (1.0,)
        case "uniform":
            return (1 / num_rounds,) * num_rounds
    try:
        given = [float(share) for share in allocation.split(",")]
    except ValueError:
        given = []
    legal = given and all(0 <= share <= 1 + _SUM_TOLERANCE for share in given)
    total = math.fsum(given) if legal else 0.0
    if abs(total - 1) > _SUM_TOLERANCE or len(given) > num_rounds:
        raise InputError(
            f"allocation must be early, uniform, late, or at most {num_rounds} shares that sum to "
            f"1, separated by commas, got {allocation!r:.80}"
        )
    if abs(total - 1) > _ROUNDING:
        given = [share / total for share in given]
    return (*given, *(0.0,) * (num_rounds - len(given)))


def prolonged(config: ImproveConfig, more_rounds: int) -> ImproveConfig:
    """The same with more rounds, in which no external response is used a second time."""
    if not more_rounds:
        return config
    allocation = config.allocation
    if config.external:
        allocation = ",".join(map(repr, shares(allocation, config.num_rounds)))
    num_rounds = config.num_rounds + more_rounds
    return dataclasses.replace(config, num_rounds=num_rounds, allocation=allocation)


@dataclasses.dataclass(frozen=True, eq=False)
class ExternalResponses:
    """Responses to training prompts, and when each is used.

    **Fields:**

    - `prompts`: which training prompt each answers, in the order in which they are used.
    - `responses`: their ids, the end token included.
    - `ends`: how many of them have been used after each round.
    """

    prompts: Int[np.ndarray, " responses"]
    responses: tuple[Sequence[int], ...]
    ends: Int[np.ndarray, " rounds"]

    def replace(self, round_index: int, training_set: TrainingSet) -> TrainingSet:
        """What round `round_index` trains on, its external responses in their prompts' places."""
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

    - `path`: the file.
    - `problems`: the training problems; a response must answer one of them, and no two the same.
        A `prompt` is the text of a problem, in whatever white space and case as long as no other
        problem differs in these alone.
    - `tokenizer`: the model's.
    - `key`: decides about the order in which responses are used.
    - `eta`: the share of each round, as :func:`shares` gives it.
    - `max_new_tokens`: the most tokens of a response, the end token counted.

    **Raises:** `InputError` with file, line and field, or if there is no response in the file.
    """
    row_of = _rows_of(problems)
    found: dict[int, list[int]] = {}
    for record in read_records(path):
        row = row_of(record)
        if row in found:
            record.refuse("prompt", "was answered on an earlier line")
        try:
            tokens = [*tokenizer.encode(record.text("response")), tokenizer.reply_end_id]
        except ValueError as error:
            record.refuse("response", str(error))
        if len(tokens) > max_new_tokens:
            record.refuse("response", f"has {len(tokens)} tokens, above {max_new_tokens=}")
        found[row] = tokens
    if not found:
        raise InputError(f"{path}: holds no responses: leave the file out, or give one with some")
    rows = np.array(list(found))
    order = rows[np.asarray(jax.random.permutation(key, len(rows)))]
    # Halves go up: to the nearest even number, equal shares would come in unequal steps.
    ends = np.floor(np.cumsum(eta) * len(rows) + 0.5 + _ROUNDING).astype(int)
    return ExternalResponses(order, tuple(found[int(row)] for row in order), ends)


def _rows_of(problems: Sequence[Problem]) -> Callable[[Record], int]:
    """Finds the problem that a record answers; refuses a record that answers none, or several."""
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
