"""A grader's replies in its last few calls, so that each question is asked once per round.

A verifier that uses the task's own grader (`exact`, `majority`) asks the same questions as the
measurements do afterwards. Asking twice would double the time, and a timeout in only one of the two
would make the verifier and the measurements disagree.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

# The answers to training prompts recur up to five calls later: for a vote, then for a measurement.
_NUM_CALLS = 5

Request = TypeVar("Request", bound=Hashable)
Reply = TypeVar("Reply")


class RecentReplies(Generic[Request, Reply]):
    """Replies to the requests of the last few calls.

    Not of all calls: a reply may have timed out only because the machine was busy.
    """

    def __init__(self):
        self._calls: collections.deque[dict[Request, Reply]] = collections.deque(maxlen=_NUM_CALLS)

    def ask_all(
        self, requests: Sequence[Request], ask: Callable[[Sequence[Request]], Sequence[Reply]]
    ) -> list[Reply]:
        """The replies, in order; only unknown requests are asked, each once."""
        known = {request: reply for call in self._calls for request, reply in call.items()}
        unknown = [request for request in dict.fromkeys(requests) if request not in known]
        known.update(zip(unknown, ask(unknown), strict=True))
        self._calls.append({request: known[request] for request in requests})
        return [known[request] for request in requests]
