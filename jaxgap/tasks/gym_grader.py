"""What runs in the sandbox for reasoning-gym: one set's own grader.

A request is a pickled pair of entry and answer; the reply is the score.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from jaxgap.tasks.gym_sets import make_dataset
from jaxgap.tasks.harmless_eval import forbid_exec, restrict_eval

_EVALUATORS = ("reasoning_gym", "sympy")
_EXECUTORS = ("sympy.utilities.lambdify",)


def make_handler(name: str, config: Mapping[str, Any]) -> Callable[[bytes], bytes]:
    """A handler that scores answers to one set's problems."""
    import sympy

    dataset = make_dataset(name, config, seed=0, size=1)
    restrict_eval(_EVALUATORS, functions=sympy.Function)
    forbid_exec(_EXECUTORS)

    def handle(request: bytes) -> bytes:
        entry, answer = pickle.loads(request)
        try:
            score = float(dataset.score_answer(answer, entry))
        except Exception:
            score = 0.0
        return json.dumps(score).encode()

    return handle
