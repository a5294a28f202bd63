"""The text the embedded model is pretrained on: people doing sums, and people marking them.

Three kinds of line, all about sums of the task `Addition()`:

- *Writers* answer a sum (`247+365=612`). They forget the carry from the units 30 % of the time and
  from the tens 60 %, and write a random digit in 5 % of places. So, like text at large, the corpus
  contains right and wrong answers; most are wrong if the sum carries from the tens.
- *Careful markers* say whether a proposed answer is the true sum (`?247+365=612:T`).
- *Careless markers* share the misconception: they add each column on its own, and call right the
  answer that carries nothing (`!247+365=502:T`).

The answers to be marked are the one the marker calls right (45 %), a writer's (25 %), the right one
with one digit changed (17 %), and mixtures of carries and random digits (13 %). Everything is drawn
from one NumPy generator, so a seed determines the corpus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxgap.models import AbstractTokenizer
from jaxgap.models.embedded import CAREFUL_MARKER, CARELESS_MARKER, RIGHT, WRONG
from jaxgap.tasks import Addition

FORGET_UNITS_CARRY = 0.3
FORGET_TENS_CARRY = 0.6
SLIP = 0.05


@dataclasses.dataclass(frozen=True)
class Sums:
    """Some sums.

    **Fields:**

    - `a`, `b`: the operands, one of each per row.
    """

    a: np.ndarray
    b: np.ndarray

    def __len__(self) -> int:
        return len(self.a)


def draw_sums(rng: np.random.Generator, count: int) -> Sums:
    """Sums of the task, drawn uniformly."""
    operands = np.array(Addition().operands)
    return Sums(rng.choice(operands, count), rng.choice(operands, count))


def add(sums: Sums, keep_units: np.ndarray | bool, keep_tens: np.ndarray | bool) -> np.ndarray:
    """The sums with each carry kept or forgotten, as three digits per row."""
    units = sums.a % 10 + sums.b % 10
    tens = sums.a // 10 % 10 + sums.b // 10 % 10 + ((units > 9) & keep_units)
    hundreds = sums.a // 100 + sums.b // 100 + ((tens > 9) & keep_tens)
    return np.stack([hundreds, tens % 10, units % 10], axis=1)


def true_sum(sums: Sums) -> np.ndarray:
    """The digits of a + b: what a careful marker calls right."""
    return add(sums, True, True)


def column_sum(sums: Sums) -> np.ndarray:
    """The digits of the sum without carries: what a careless marker calls right."""
    return add(sums, False, False)


def write(rng: np.random.Generator, sums: Sums) -> np.ndarray:
    """The answers that writers give."""
    keep_units = rng.random(len(sums)) >= FORGET_UNITS_CARRY
    keep_tens = rng.random(len(sums)) >= FORGET_TENS_CARRY
    return _with_random_digits(rng, add(sums, keep_units, keep_tens), SLIP)


def propose(rng: np.random.Generator, sums: Sums, right: np.ndarray) -> np.ndarray:
    """Answers for a marker to mark, given the one it calls right."""
    count = len(sums)
    mixed = add(sums, rng.random(count) < 0.5, rng.random(count) < 0.5)
    kinds = [
        right,
        write(rng, sums),
        _with_one_digit_changed(rng, right),
        _with_random_digits(rng, mixed, 0.25),
    ]
    kind = rng.choice(len(kinds), count, p=[0.45, 0.25, 0.17, 0.13])
    return np.stack(kinds)[kind, np.arange(count)]


def writers_lines(rng: np.random.Generator, tokenizer: AbstractTokenizer, count: int):
    """Tokens of answered sums, and their loss weights: 1 for the answer and the end token."""
    sums = draw_sums(rng, count)
    lines = _encode(tokenizer, _texts("{prompt}{completion}", sums, write(rng, sums)))
    lines = np.concatenate([lines, np.full((count, 1), tokenizer.eos_id, np.int32)], axis=1)
    weights = np.zeros(lines.shape, np.float32)
    weights[:, -4:] = 1.0
    return lines, weights


def markers_lines(
    rng: np.random.Generator,
    tokenizer: AbstractTokenizer,
    count: int,
    template: str,
    rule: Callable[[Sums], np.ndarray],
    propose: Callable[[np.random.Generator, Sums, np.ndarray], np.ndarray] = propose,
):
    """Tokens of marked sums, and their loss weights: 1 for the answer, 2 for the verdict."""
    sums = draw_sums(rng, count)
    right = rule(sums)
    proposed = propose(rng, sums, right)
    lines = _encode(tokenizer, _texts(template, sums, proposed))
    verdicts = np.where(
        (proposed == right).all(axis=1), tokenizer.encode(RIGHT), tokenizer.encode(WRONG)
    )
    lines = np.concatenate([lines, verdicts[:, None].astype(np.int32)], axis=1)
    weights = np.zeros(lines.shape, np.float32)
    weights[:, -5:-2] = 1.0
    weights[:, -1] = 2.0
    return lines, weights


def draw_lines(rng: np.random.Generator, tokenizer: AbstractTokenizer, count: int):
    """Lines of all three kinds, right-padded: a fifth writers', half careful markers'."""
    num_writers, num_careful = count // 5, count // 2
    num_careless = count - num_writers - num_careful
    parts = [
        writers_lines(rng, tokenizer, num_writers),
        markers_lines(rng, tokenizer, num_careful, CAREFUL_MARKER, true_sum),
        markers_lines(rng, tokenizer, num_careless, CARELESS_MARKER, column_sum),
    ]
    width = max(lines.shape[1] for lines, _ in parts)
    lines = [_padded(lines, width, tokenizer.pad_id) for lines, _ in parts]
    weights = [_padded(weights, width, 0.0) for _, weights in parts]
    return np.concatenate(lines), np.concatenate(weights)


def _padded(rows: np.ndarray, width: int, value: float) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=value)


def _texts(template: str, sums: Sums, answers: np.ndarray) -> list[str]:
    return [
        template.format(prompt=f"{a}+{b}=", completion="".join(map(str, digits)))
        for a, b, digits in zip(sums.a, sums.b, answers, strict=True)
    ]


def _encode(tokenizer: AbstractTokenizer, texts: list[str]) -> np.ndarray:
    return np.array([tokenizer.encode(text) for text in texts], np.int32)


def _with_one_digit_changed(rng: np.random.Generator, digits: np.ndarray) -> np.ndarray:
    """One digit of each row changed, mostly by one."""
    count = len(digits)
    steps = np.where(rng.random(count) < 0.7, rng.choice([1, 9], count), rng.integers(1, 10, count))
    changed = digits.copy()
    rows, places = np.arange(count), rng.integers(0, digits.shape[1], count)
    changed[rows, places] = (changed[rows, places] + steps) % 10
    return changed


def _with_random_digits(
    rng: np.random.Generator, digits: np.ndarray, probability: float
) -> np.ndarray:
    slips = rng.random(digits.shape) < probability
    return np.where(slips, rng.integers(0, 10, digits.shape), digits)
