"""Several containers, for as many jobs in parallel."""

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
    """Places to work, each with one container or several that belong together.

    **Arguments:**

    - `make_place`: creates a place, whose containers need not have started.
    - `size`: the number of places; by default one per processor.
    """

    def __init__(self, make_place: Callable[[], Place], size: int | None = None):
        self.size = size or _num_processors()
        # The most recently used place comes first: its containers have started.
        self._idle: queue.LifoQueue[Place] = queue.LifoQueue()
        for _ in range(self.size):
            self._idle.put(make_place())

    def map(self, work: Callable[[Place, Job], Result], jobs: Iterable[Job]) -> list[Result]:
        """`work(place, job)` for every job, in order.

        **Raises:** the first exception that `work` raises.
        """
        with concurrent.futures.ThreadPoolExecutor(self.size) as executor:
            return list(executor.map(lambda job: self.run(work, job), jobs))

    def run(self, work: Callable[[Place, Job], Result], job: Job) -> Result:
        """`work(place, job)` in the next free place."""
        place = self._idle.get()
        try:
            return work(place, job)
        finally:
            self._idle.put(place)


def _num_processors() -> int:
    """How many processors this process may use, which may be few of many, if the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
