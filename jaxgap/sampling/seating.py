"""Which candidate sits where: rows in groups that share a prompt, refilled as they end.

The seats of a group belong to one prompt. A seat that falls free goes to the next waiting
candidate of the same prompt; a group that falls free goes to the next prompt that has not begun, or
to the one with the most candidates waiting. Nobody moves, so nothing is copied, until nobody waits
any more and those left fit into half the seats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxgap.sharding import even_rows

FREE = -1


class Move(NamedTuple):
    """A smaller seating of those left.

    **Fields:**

    - `groups`: the old group whose prompt each new group takes.
    - `seats`: the old seat that each new seat takes.
    """

    groups: Int[np.ndarray, " groups"]
    seats: Int[np.ndarray, " seats"]


class Seating:
    """The seats, and who waits for one.

    **Arguments:**

    - `num_groups`: groups, >= 1.
    - `group_size`: seats in each, >= 1.
    - `order`: the prompts in the order in which they may begin.
    - `num_candidates`: candidates of each prompt.

    **Attributes:**

    - `prompts`: the prompt of each group, `FREE` for none.
    - `rows`: the candidate in each seat of each group, as a row of the output, `FREE` for none.
    """

    def __init__(self, num_groups: int, group_size: int, order: Iterable[int], num_candidates: int):
        self._unbegun = deque(order)
        self._num_candidates = num_candidates
        self._waiting = np.full(len(self._unbegun), num_candidates)
        self.prompts = np.full(num_groups, FREE)
        self.rows = np.full((num_groups, group_size), FREE)

    @property
    def num_waiting(self) -> int:
        """Candidates that have not begun."""
        return int(self._waiting.sum())

    def leave(self, ended: Bool[np.ndarray, "groups size"]) -> None:
        """Free the seats of those that have ended."""
        self.rows[ended] = FREE

    def fill(self) -> list[int]:
        """Seat whoever can be; returns the groups that have another prompt than before."""
        changed = []
        for group in np.flatnonzero((self.rows == FREE).any(1)).tolist():
            if not self.num_waiting:
                break
            prompt = self.prompts[group]
            if (self.rows[group] == FREE).all() and (prompt == FREE or not self._waiting[prompt]):
                self.prompts[group] = self._next_prompt()
                changed.append(group)
            self._seat(group)
        return changed

    def _next_prompt(self) -> int:
        return self._unbegun.popleft() if self._unbegun else int(self._waiting.argmax())

    def _seat(self, group: int) -> None:
        prompt = self.prompts[group]
        free = np.flatnonzero(self.rows[group] == FREE)[: self._waiting[prompt]]
        first = (prompt + 1) * self._num_candidates - self._waiting[prompt]
        self.rows[group, free] = first + np.arange(len(free))
        self._waiting[prompt] -= len(free)

    def shrink(self, group_size: int) -> Move | None:
        """Move those left into half as many seats, in groups of this size, if they fit.

        On a mesh it is as many groups more as it takes to cut them evenly.

        **Returns:** the move, or None if somebody waits or they do not fit.
        """
        num_groups = even_rows(self.rows.size // 2 // group_size)
        if self.num_waiting or num_groups * group_size >= self.rows.size:
            return None
        parties = [
            (group, seats[start : start + group_size])
            for group, seats in self._seats_by_prompt()
            for start in range(0, len(seats), group_size)
        ]
        if len(parties) > num_groups:
            return None
        groups = np.zeros(num_groups, int)
        seats = np.zeros((num_groups, group_size), int)
        rows = np.full(seats.shape, FREE)
        for i, (group, party) in enumerate(parties):
            groups[i] = group
            seats[i, : len(party)] = party
            rows[i, : len(party)] = self.rows.ravel()[party]
        self.prompts, self.rows = self.prompts[groups], rows
        return Move(groups, seats.ravel())

    def _seats_by_prompt(self) -> list[tuple[int, Int[np.ndarray, " seats"]]]:
        """The taken seats of each prompt, and one of its groups."""
        taken = self.rows != FREE
        prompts = np.broadcast_to(self.prompts[:, None], taken.shape)
        seats = [
            np.flatnonzero(taken & (prompts == prompt)) for prompt in np.unique(prompts[taken])
        ]
        return [(int(each[0]) // self.rows.shape[1], each) for each in seats]
