"""Schedules: in which rounds a budget of external data is spent.

A schedule is a list of rounds at which external responses could be used and the share of the budget
that each gets. The shares sum to one, so that schedules differ in *when*, never in *how much*.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgap.dynamics.external_data import ExternalData
from jaxgap.errors import InputError

# Shares given by a user may miss a sum of one by this much; they are then rescaled. Nine of .111
# miss it by a little more than .001.
_TOLERANCE = 1e-3 + 1e-9


@dataclasses.dataclass(frozen=True)
class DataSchedule:
    r"""When a budget of external data is spent: $\eta_j \ge 0$ at $t_j$, $\sum_j \eta_j = 1$.

    - `name`: for tables.
    - `times`: $t_j$, strictly increasing, in time units.
    - `shares`: $\eta_j$, of the same length.

    **Raises:**

    `InputError` (a `ValueError`) for times that are not finite and increasing, for shares that are
    negative or do not sum to one, and for lengths that differ.

    **Example:**

    >>> DataSchedule.early([1.0, 2.0]).shares.tolist()
    [1.0, 0.0]
    >>> DataSchedule.uniform([1.0, 2.0]).shares.tolist()
    [0.5, 0.5]

    Source: Sun et al. (arXiv:2507.00075v4), section 5.
    """

    name: str
    times: Float[np.ndarray, " rounds"]
    shares: Float[np.ndarray, " rounds"]

    def __post_init__(self):
        times, shares = np.array(self.times, np.float64), np.array(self.shares, np.float64)
        if times.ndim != 1 or times.shape != shares.shape or not times.size:
            raise InputError(
                f"{self.name}: there must be one share for each round, got {shares.size} shares "
                f"for {times.size} rounds"
            )
        check_rounds(times)
        total = shares.sum()
        if not (shares >= 0).all() or not abs(total - 1) <= _TOLERANCE:
            raise InputError(
                f"{self.name}: shares must not be negative and must sum to 1, got {_list(shares)}, "
                f"which sum to {total:g}"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "shares", shares / total)

    @classmethod
    def early(cls, times: ArrayLike) -> "DataSchedule":
        """All of it in the first of these rounds."""
        return cls._all_at("early", times, 0)

    @classmethod
    def late(cls, times: ArrayLike) -> "DataSchedule":
        """All of it in the last of these rounds."""
        return cls._all_at("late", times, -1)

    @classmethod
    def uniform(cls, times: ArrayLike) -> "DataSchedule":
        """Equal shares in all of these rounds."""
        num = np.size(times)
        return cls("uniform", np.asarray(times), np.full(num, 1 / max(num, 1)))

    @classmethod
    def given(cls, times: ArrayLike, shares: ArrayLike) -> "DataSchedule":
        """Shares given by the user; a sum within 0.1 % of one is scaled to one."""
        return cls("given", np.asarray(times), np.asarray(shares))

    @classmethod
    def _all_at(cls, name: str, times: ArrayLike, index: int) -> "DataSchedule":
        shares = np.zeros(np.size(times))
        shares[index : index + 1 or None] = 1.0
        return cls(name, np.asarray(times), shares)

    def external(self, strength: float) -> ExternalData:
        r"""The jumps of this schedule for a budget of strength $\gamma \ge 0$."""
        return ExternalData(self.times, self.shares, strength)


def check_rounds(times: Float[np.ndarray, " rounds"], first: float = -np.inf) -> None:
    """Refuse rounds that are not finite, do not increase, or are before `first`: `InputError`."""
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError(f"rounds must be finite and increase, got {_list(times)}")
    if times[0] < first:
        raise InputError(
            f"rounds must not be before the run's first time {first:.12g}, got {times[0]:.12g}"
        )


def check_strength(strength: float) -> None:
    """Refuse a strength that is negative or not finite: `InputError`."""
    if not (np.isfinite(strength) and strength >= 0):
        raise InputError(f"strength must be finite and not negative, got {strength:g}")


def _list(values: Float[np.ndarray, " n"]) -> str:
    return " ".join(f"{value:g}" for value in values)
