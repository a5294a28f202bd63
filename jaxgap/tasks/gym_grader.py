"""What runs in the sandbox for reasoning-gym: the grader of one data set.

A request is a pickled pair of entry and answer; the reply is the score.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any

from jaxgap.tasks.gym_sets import make_dataset
from jaxgap.tasks.harmless_eval import forbid_exec, restrict_eval

_EVALUATORS = ("reasoning_gym", "sympy")
# A formula of given numbers, whose use the grader checks. Without this it would also accept names
# and strings that evaluate to other numbers: `len('aaa')`, `pi/pi`, `True`.
_FORMS = {"countdown": re.compile(r"[\d\s()+*/-]*")}
_EXECUTORS = ("sympy.utilities.lambdify",)


def make_handler(name: str, config: Mapping[str, Any]) -> Callable[[bytes], bytes]:
    """A handler that scores answers to the problems of one data set."""
    import sympy

    dataset = make_dataset(name, config, seed=0, size=1)
    restrict_eval(_EVALUATORS, functions=sympy.Function)
    forbid_exec(_EXECUTORS)

    def handle(request: bytes) -> bytes:
        entry, answer = pickle.loads(request)
        score = 0.0
        if name not in _FORMS or _FORMS[name].fullmatch(answer):
            with contextlib.suppress(Exception):
                score = float(dataset.score_answer(answer, entry))
        return json.dumps(score).encode()

    return handle
