"""Learning-rate schedules over the steps of a run, as hashable descriptions of optax schedules."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import optax


class AbstractSchedule(abc.ABC):
    """A schedule that can be compared and hashed, so it can be static under `jax.jit`."""

    @abc.abstractmethod
    def as_optax(self) -> optax.Schedule:
        """The learning rate as a function of the number of completed steps."""


@dataclasses.dataclass(frozen=True)
class Constant(AbstractSchedule):
    """A constant learning rate after a linear warm-up.

    **Fields:**

    - `learning_rate`: > 0.
    - `warm_up_steps`: steps before the first one at that rate, >= 0. The first has a rate of
        `learning_rate / (warm_up_steps + 1)`, not zero: it may be the only step of a round.

    **Raises:** `ValueError` if a field is outside its range.

    >>> rate = Constant(learning_rate=1.0, warm_up_steps=2).as_optax()
    >>> [round(float(rate(step)), 2) for step in range(5)]
    [0.33, 0.67, 1.0, 1.0, 1.0]
    """

    learning_rate: float
    warm_up_steps: int = 0

    def __post_init__(self):
        _require(self, "learning_rate", 0 < self.learning_rate < float("inf"), "positive")
        _require(self, "warm_up_steps", self.warm_up_steps >= 0, "0 or more")

    def as_optax(self) -> optax.Schedule:
        constant = optax.constant_schedule(self.learning_rate)
        return _after_warm_up(self.learning_rate, self.warm_up_steps, constant)


@dataclasses.dataclass(frozen=True)
class AbstractDecay(AbstractSchedule):
    """A linear warm-up to the peak, then a decay to zero, where it stays.

    **Fields:**

    - `peak`: the highest learning rate, > 0.
    - `warm_up_steps`: steps before the first one at the peak, >= 0, as for :class:`Constant`.
    - `num_steps`: steps until the learning rate is zero, including the warm-up.

    **Raises:** `ValueError` if a field is outside its range.
    """

    peak: float
    warm_up_steps: int
    num_steps: int

    def __post_init__(self):
        _require(self, "peak", 0 < self.peak < float("inf"), "positive")
        _require(self, "warm_up_steps", self.warm_up_steps >= 0, "0 or more")
        more = f"more than warm_up_steps={self.warm_up_steps}"
        _require(self, "num_steps", self.num_steps > self.warm_up_steps, more)

    def as_optax(self) -> optax.Schedule:
        decay = self._decay(self.num_steps - self.warm_up_steps)
        return _after_warm_up(self.peak, self.warm_up_steps, decay)

    @abc.abstractmethod
    def _decay(self, num_steps: int) -> optax.Schedule:
        """A decay from the peak to zero in `num_steps`."""


class LinearDecay(AbstractDecay):
    """A linear warm-up, then a linear decay to zero.

    >>> rate = LinearDecay(peak=1.0, warm_up_steps=2, num_steps=6).as_optax()
    >>> [round(float(rate(step)), 2) for step in range(7)]
    [0.33, 0.67, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def _decay(self, num_steps: int) -> optax.Schedule:
        return optax.linear_schedule(self.peak, 0.0, num_steps)


class CosineDecay(AbstractDecay):
    """A linear warm-up, then half a cosine.

    The decay is that of Loshchilov and Hutter, arXiv:1608.03983, without restarts.

    >>> rate = CosineDecay(peak=1.0, warm_up_steps=2, num_steps=6).as_optax()
    >>> [round(float(rate(step)), 2) for step in range(7)]
    [0.33, 0.67, 1.0, 0.85, 0.5, 0.15, 0.0]
    """

    def _decay(self, num_steps: int) -> optax.Schedule:
        return optax.cosine_decay_schedule(self.peak, num_steps)


def _after_warm_up(peak: float, num_steps: int, schedule: optax.Schedule) -> optax.Schedule:
    """`schedule`, which starts at the peak, after `num_steps` of linear warm-up."""
    if num_steps == 0:
        return schedule
    warm_up = optax.linear_schedule(peak / (num_steps + 1), peak, num_steps)
    return optax.join_schedules([warm_up, schedule], [num_steps])


def _require(record: Any, name: str, satisfied: bool, legal: str) -> None:
    if not satisfied:
        raise ValueError(f"{name} must be {legal}, got {getattr(record, name)!r}")
