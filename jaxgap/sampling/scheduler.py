"""Which completion each row decodes: continuous batching, in groups of rows that share a prompt.

The rows of a group belong to one prompt. A free row takes the next waiting completion of the same
prompt; a free group takes the next prompt that has not started, or else the one with the most
waiting completions. Nothing moves, so nothing is copied, until no completion is waiting and the
remaining ones fit into half the rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxgap.sharding import even_rows

FREE = -1


class Compaction(NamedTuple):
    """A smaller batch of the remaining completions.

    **Fields:**

    - `groups`: for each new group, the old group whose prompt it takes.
    - `rows`: for each new row, the old row it takes.
    """

    groups: Int[np.ndarray, " groups"]
    rows: Int[np.ndarray, " rows"]


class Scheduler:
    """The rows of the batch, and the completions waiting for a row.

    **Arguments:**

    - `num_groups`: groups, >= 1.
    - `group_size`: rows in each, >= 1.
    - `order`: the prompts in the order in which they start.
    - `num_candidates`: completions of each prompt.

    **Attributes:**

    - `prompts`: the prompt of each group, `FREE` for none.
    - `completions`: the completion that each row of each group decodes, `FREE` for none; number
        `p * num_candidates + c` is candidate c of prompt p.
    """

    def __init__(self, num_groups: int, group_size: int, order: Iterable[int], num_candidates: int):
        self._unbegun = deque(order)
        self._num_candidates = num_candidates
        self._waiting = np.full(len(self._unbegun), num_candidates)
        self.prompts = np.full(num_groups, FREE)
        self.completions = np.full((num_groups, group_size), FREE)

    @property
    def num_rows(self) -> int:
        """Rows of the batch, including free ones."""
        return self.completions.size

    @property
    def num_waiting(self) -> int:
        """Completions that have not started."""
        return int(self._waiting.sum())

    def release(self, ended: Bool[np.ndarray, "groups size"]) -> None:
        """Free the rows whose completions have ended."""
        self.completions[ended] = FREE

    def admit(self) -> list[int]:
        """Assign waiting completions to free rows; returns the groups whose prompt changed."""
        changed = []
        for group in np.flatnonzero((self.completions == FREE).any(1)).tolist():
            if not self.num_waiting:
                break
            prompt = self.prompts[group]
            is_free = (self.completions[group] == FREE).all()
            if is_free and (prompt == FREE or not self._waiting[prompt]):
                self.prompts[group] = self._next_prompt()
                changed.append(group)
            self._fill(group)
        return changed

    def _next_prompt(self) -> int:
        return self._unbegun.popleft() if self._unbegun else int(self._waiting.argmax())

    def _fill(self, group: int) -> None:
        prompt = self.prompts[group]
        free = np.flatnonzero(self.completions[group] == FREE)[: self._waiting[prompt]]
        first = (prompt + 1) * self._num_candidates - self._waiting[prompt]
        self.completions[group, free] = first + np.arange(len(free))
        self._waiting[prompt] -= len(free)

    def compact(self, group_size: int) -> Compaction | None:
        """Move the remaining completions into half as many rows, in groups of this size.

        On a mesh the number of groups is rounded up to divide evenly.

        **Returns:** what moved, or None if a completion is waiting or they do not fit.
        """
        num_groups = even_rows(self.num_rows // 2 // group_size)
        if self.num_waiting or num_groups * group_size >= self.num_rows:
            return None
        parts = [
            (group, rows[start : start + group_size])
            for group, rows in self._rows_by_prompt()
            for start in range(0, len(rows), group_size)
        ]
        if len(parts) > num_groups:
            return None
        groups = np.zeros(num_groups, int)
        rows = np.zeros((num_groups, group_size), int)
        completions = np.full(rows.shape, FREE)
        for i, (group, part) in enumerate(parts):
            groups[i] = group
            rows[i, : len(part)] = part
            completions[i, : len(part)] = self.completions.ravel()[part]
        self.prompts, self.completions = self.prompts[groups], completions
        return Compaction(groups, rows.ravel())

    def _rows_by_prompt(self) -> list[tuple[int, Int[np.ndarray, " rows"]]]:
        """The rows in use of each prompt, with one of its groups."""
        used = self.completions != FREE
        prompts = np.broadcast_to(self.prompts[:, None], used.shape)
        rows = [np.flatnonzero(used & (prompts == prompt)) for prompt in np.unique(prompts[used])]
        return [(int(each[0]) // self.completions.shape[1], each) for each in rows]
