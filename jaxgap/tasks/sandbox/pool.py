"""Several containers at a time, for as many jobs."""

from __future__ import annotations

import concurrent.futures
import os
import queue
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Place = TypeVar("Place")
Job = TypeVar("Job")
Result = TypeVar("Result")


class SandboxPool(Generic[Place]):
    """Places to work, one a processor, each a container or several that belong together.

    **Arguments:**

    - `make_place`: makes one, whose containers need not have started.
    - `size`: how many there are; one a processor unless given.
    """

    def __init__(self, make_place: Callable[[], Place], size: int | None = None):
        self.size = size or _num_processors()
        # The place that was left last comes first: its containers have started.
        self._idle: queue.LifoQueue[Place] = queue.LifoQueue()
        for _ in range(self.size):
            self._idle.put(make_place())

    def map(self, work: Callable[[Place, Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """`work(place, job)` of every job, in their order.

        **Raises:** what `work` raises first.
        """
        with concurrent.futures.ThreadPoolExecutor(self.size) as executor:
            return list(executor.map(lambda job: self.run(work, job), jobs))

    def run(self, work: Callable[[Place, Job], Result], job: Job) -> Result:
        """`work(place, job)` in the next place that is free."""
        place = self._idle.get()
        try:
            return work(place, job)
        finally:
            self._idle.put(place)


def _num_processors() -> int:
    """How many this process may use, where the system tells; a job may have a few of many."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
