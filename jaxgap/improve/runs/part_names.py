"""Which parts of a run its configuration does not name, and what they are called instead."""

from __future__ import annotations

import dataclasses
import sys
import types
from pathlib import Path

from jaxgap.improve.assembly import named_question
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.parts import Loop
from jaxgap.improve.runs.digests import json_digest
from jaxgap.improve.runs.own_parts import OwnParts
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.improve.verifiers.asking import AskingVerifier
from jaxgap.improve.verifiers.exact import ExactVerifier
from jaxgap.improve.verifiers.likelihood import LikelihoodVerifier
from jaxgap.improve.verifiers.majority import MajorityVerifier
from jaxgap.improve.verifiers.random_scores import RandomVerifier
from jaxgap.tasks import AbstractTask
from jaxgap.tasks.named import named_class

_WITHOUT_QUESTION = {
    "majority": MajorityVerifier,
    "likelihood": LikelihoodVerifier,
    "exact": ExactVerifier,
    "random": RandomVerifier,
}


def own_parts_of(loop: Loop) -> OwnParts:
    """The parts of a run that its configuration does not name; empty if it names all."""
    names = {
        "verifier": _own_verifier(loop.config, loop.verifier),
        "task": _own_task(loop.config, loop.task),
    }
    return {setting: name for setting, name in names.items() if name is not None}


def name_of(kind: type | types.FunctionType) -> str:
    """The name of a class or function: its module's and its own; of built-in ones its own alone.

    The packages above the module are left out, and a script has the name of its file: so the name
    is the same whether a file is run or imported, and from wherever.

    >>> from fractions import Fraction
    >>> name_of(Fraction), name_of(RandomVerifier)
    ('fractions.Fraction', 'RandomVerifier')
    """
    if _is_built_in(kind):
        return kind.__qualname__
    module = kind.__module__.rpartition(".")[2]
    script = getattr(sys.modules["__main__"], "__file__", None)  # None in a notebook
    if kind.__module__ == "__main__" and script:
        module = Path(script).stem
    return f"{module}.{kind.__qualname__}"


def _own_verifier(config: ImproveConfig, verifier: AbstractVerifier) -> str | None:
    if isinstance(verifier, types.FunctionType):
        return name_of(verifier)
    kind = type(verifier)
    named = _WITHOUT_QUESTION.get(config.verifier, AskingVerifier)
    if not isinstance(verifier, AskingVerifier):
        return None if kind is named else name_of(kind)
    if kind is named and verifier.question == named_question(config):
        return None
    question = json_digest(dataclasses.asdict(verifier.question))
    return f"{name_of(kind)}, question {question:08x}"


def _own_task(config: ImproveConfig, task: AbstractTask) -> str | None:
    kind = type(task)
    if _is_built_in(kind) and kind is named_class(config.task):
        return None
    return name_of(kind)


def _is_built_in(kind: type | types.FunctionType) -> bool:
    return kind.__module__.startswith("jaxgap.")
