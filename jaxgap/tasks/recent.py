"""What a grader said in its last few calls, so that it is asked once in a round.

A verifier that asks the task's own grader (`exact`, `majority`) asks what the measurements then ask
again. It would take twice the time, and a reply that is late in one of the two would have the
verifier and the measurements disagree.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

# Between the training prompts' answers for a vote and the same for a measurement lie five.
_NUM_CALLS = 5

Request = TypeVar("Request", bound=Hashable)
Reply = TypeVar("Reply")


class RecentReplies(Generic[Request, Reply]):
    """Replies to the requests of the last few calls.

    Not of more: a reply may have been late because the machine was busy, and may come another time.
    """

    def __init__(self):
        self._calls: collections.deque[dict[Request, Reply]] = collections.deque(maxlen=_NUM_CALLS)

    def ask_all(
        self, requests: Sequence[Request], ask: Callable[[Sequence[Request]], Sequence[Reply]]
    ) -> list[Reply]:
        """The replies, in order; only what is not known yet is asked, each request once."""
        known = {request: reply for call in self._calls for request, reply in call.items()}
        unknown = [request for request in dict.fromkeys(requests) if request not in known]
        known.update(zip(unknown, ask(unknown), strict=True))
        self._calls.append({request: known[request] for request in requests})
        return [known[request] for request in requests]
