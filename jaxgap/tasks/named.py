"""Tasks by name, for the command line and the configuration of a run.

A configuration may be untrusted, so a name stands for one of the tasks below and never for code;
custom tasks are passed from Python.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.tasks.problem import AbstractTask

NAMES = ("addition", "gsm8k", "json", "math", "mbpp", "prontoqa", "reasoning-gym")


def named_task(name: str, options: str = "{}") -> AbstractTask:
    """The task that a name stands for.

    **Arguments:**

    - `name`: `addition`; `reasoning-gym:SET`; or one of `gsm8k`, `math`, `mbpp`, `prontoqa` and
        `json` (any prompts and answers) with its file, and optionally one for held-out problems:
        `gsm8k:train.jsonl,test.jsonl`.
    - `options`: a JSON object: the configuration of a reasoning-gym set; for the others
        `num_examples` and, for `json`, `prompt_field` and `answer_field`.

    **Raises:** `InputError` in one line for an unknown name, or an unsuitable file or option.

    >>> named_task("addition").split(1, 1, seed=0).train[0].prompt
    '453+454='
    """
    kind, _, place = name.partition(":")
    if kind not in NAMES:
        raise InputError(f"task {name!r:.80} is not one of {', '.join(NAMES)}")
    if bool(place) != (kind != "addition"):
        form = {"addition": "addition", "reasoning-gym": "reasoning-gym:SET"}
        raise InputError(f"task {name!r:.80} must look like {form.get(kind, f'{kind}:FILE')}")
    given = _parsed(options)
    if kind == "reasoning-gym":
        return _maker(kind)(place, given)
    legal = {"addition": (), "json": ("num_examples", "prompt_field", "answer_field")}
    for option, value in given.items():
        _check(option, value, legal.get(kind, ("num_examples",)), name)
    return _maker(kind)(*_files(place, name), **given) if place else _maker(kind)()


def named_class(name: str) -> Callable[..., AbstractTask] | None:
    """The class of the task that a name stands for; None if it stands for none.

    >>> named_class("math:train.jsonl").__name__
    'MathProblems'
    """
    kind = name.partition(":")[0]
    return _maker(kind) if kind in NAMES else None


def with_absolute_files(name: str) -> str:
    """The name of the same task from any working folder.

    Files that do not exist stay as they are, and so does a name whose absolute files could not be
    told apart: their folder has a comma in its name.
    """
    kind, _, place = name.partition(":")
    if kind not in NAMES or kind in ("addition", "reasoning-gym") or not place:
        return name
    files = _files(place, name)
    absolute = [file.absolute() for file in files if os.path.exists(file)]
    found = ",".join(map(str, absolute))
    if len(absolute) < len(files) or _files(found, name) != absolute:
        return name
    return f"{kind}:{found}"


def _files(place: str, name: str) -> list[Path]:
    """One file, or the files of the training and the held-out problems."""
    parts = [part.strip() for part in place.split(",", 1)]
    if not all(parts):
        raise InputError(f"task {name!r:.80} names an empty file: give FILE, or FILE,FILE")
    try:
        return [Path(part).expanduser() for part in parts]
    except RuntimeError:
        raise InputError(f"task {name!r:.80}: there is no such home folder") from None


def _maker(kind: str) -> Callable[..., AbstractTask]:
    """The class of a kind of task; only what it needs is imported."""
    match kind:
        case "addition":
            from jaxgap.tasks.addition import Addition as maker
        case "gsm8k":
            from jaxgap.tasks.gsm8k import Gsm8k as maker
        case "math":
            from jaxgap.tasks.math_problems import MathProblems as maker
        case "mbpp":
            from jaxgap.tasks.mbpp import Mbpp as maker
        case "prontoqa":
            from jaxgap.tasks.prontoqa import ProntoQA as maker
        case "reasoning-gym":
            from jaxgap.tasks.reasoning_gym import ReasoningGym as maker
        case _:
            from jaxgap.tasks.prompt_answers import PromptAnswers as maker
    return maker


def _parsed(options: str) -> dict[str, Any]:
    try:
        given = json.loads(options)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InputError(f"the task's options must be a JSON object, got {options!r:.80}")
    return given


def _check(option: str, value: Any, legal: tuple[str, ...], name: str) -> None:
    if option not in legal:
        known = f"has the options {', '.join(legal)}" if legal else "has no options"
        raise InputError(f"task {name!r:.80} {known}, not {option!r:.40}")
    kind = int if option == "num_examples" else str
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"the task's option {option} must be of type {kind.__name__}")
