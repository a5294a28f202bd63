"""What a run's state goes with, but does not hold: frozen weights and problems."""

from __future__ import annotations

from jaxgap.improve.digests import digests, json_digest
from jaxgap.improve.loop import Loop


def origin_of(loop: Loop) -> dict[str, int]:
    """Digests of the frozen weights and of both splits' problems, by what they are called.

    Adapters mean nothing on other weights, and a training set is kept by the places of its prompts;
    a file or a branch on the hub may have changed since a run was interrupted.
    """
    problems = [
        [problem.text, problem.answer] for problem in (*loop.split.train, *loop.split.held_out)
    ]
    return {
        "the frozen weights": json_digest(digests(loop.frozen)),
        "its problems": json_digest(problems),
    }
