"""How the learning rate goes over the steps of a run: records that stand for optax schedules."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import optax


class AbstractSchedule(abc.ABC):
    """A schedule that can be compared and hashed, so that it is static under `jax.jit`."""

    @abc.abstractmethod
    def schedule(self) -> optax.Schedule:
        """The learning rate as a function of the number of steps done."""


@dataclasses.dataclass(frozen=True)
class Constant(AbstractSchedule):
    """The same learning rate at every step.

    **Fields:**

    - `learning_rate`: > 0.
    """

    learning_rate: float

    def __post_init__(self):
        _require(self, "learning_rate", 0 < self.learning_rate < float("inf"), "positive")

    def schedule(self) -> optax.Schedule:
        return optax.constant_schedule(self.learning_rate)


@dataclasses.dataclass(frozen=True)
class _WarmUpAndDecay(AbstractSchedule):
    """Up to the peak in a line, then down to the final learning rate, where it stays.

    The first step is one part of the way up, not at zero: it would train nothing, and a round may
    have no other.

    **Fields:**

    - `peak`: the highest learning rate, > 0.
    - `warm_up_steps`: steps before that at the peak, >= 0.
    - `num_steps`: steps until the final learning rate, those on the way up included.
    - `final`: the last learning rate, 0 to `peak`.

    **Raises:** `ValueError` if a field is outside its range.
    """

    peak: float
    warm_up_steps: int
    num_steps: int
    final: float = 0.0

    def __post_init__(self):
        _require(self, "peak", 0 < self.peak < float("inf"), "positive")
        _require(self, "warm_up_steps", self.warm_up_steps >= 0, "0 or more")
        more = f"more than warm_up_steps={self.warm_up_steps}"
        _require(self, "num_steps", self.num_steps > self.warm_up_steps, more)
        _require(self, "final", 0 <= self.final <= self.peak, f"0 to peak={self.peak}")

    def schedule(self) -> optax.Schedule:
        first = self.peak / (self.warm_up_steps + 1)
        warm_up = optax.linear_schedule(first, self.peak, self.warm_up_steps)
        return optax.join_schedules([warm_up, self._decay()], [self.warm_up_steps])

    @abc.abstractmethod
    def _decay(self) -> optax.Schedule: ...


class LinearDecay(_WarmUpAndDecay):
    """A warm-up, then a line.

    >>> rate = LinearDecay(peak=1.0, warm_up_steps=2, num_steps=6).schedule()
    >>> [round(float(rate(step)), 2) for step in range(7)]
    [0.33, 0.67, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def _decay(self) -> optax.Schedule:
        return optax.linear_schedule(self.peak, self.final, self.num_steps - self.warm_up_steps)


class CosineDecay(_WarmUpAndDecay):
    """A warm-up, then half a cosine (Loshchilov and Hutter, arXiv:1608.03983, without restarts).

    >>> rate = CosineDecay(peak=1.0, warm_up_steps=2, num_steps=6).schedule()
    >>> [round(float(rate(step)), 2) for step in range(7)]
    [0.33, 0.67, 1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def _decay(self) -> optax.Schedule:
        steps = self.num_steps - self.warm_up_steps
        return optax.cosine_decay_schedule(self.peak, steps, alpha=self.final / self.peak)


def _require(record: Any, name: str, satisfied: bool, legal: str) -> None:
    if not satisfied:
        raise ValueError(f"{name} must be {legal}, got {getattr(record, name)!r}")
