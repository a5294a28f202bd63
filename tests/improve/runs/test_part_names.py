"""Parts that the configuration names have no name of their own; others have that of their class."""

import dataclasses
import importlib.util
import itertools
import runpy
from typing import get_args

import pytest

from jaxgap.improve import AskingVerifier, ImproveConfig, Question, VerifierName
from jaxgap.improve.assembly import assemble, make_verifier
from jaxgap.improve.runs.part_names import own_parts_of
from jaxgap.tasks import Addition, PromptAnswers

CONFIG = ImproveConfig(num_train_prompts=4, num_held_out_prompts=4, batch_size=4)
NAMES = [name for name in get_args(VerifierName) if name != "grade"]  # not of the embedded model


class Decided(AskingVerifier):
    """An asking verifier by another name."""


class Lenient(Addition):
    """Anything is right."""

    def grade(self, problem, completion):
        return True


@pytest.fixture(scope="module")
def loop():
    return assemble(CONFIG)[0]


def test_a_verifier_is_ones_own_unless_it_is_the_one_that_the_configuration_names(loop):
    for name, made in itertools.product(NAMES, NAMES):
        config = dataclasses.replace(CONFIG, verifier=made)
        verifier = make_verifier(config, loop.model, loop.task, loop.split)
        config = dataclasses.replace(CONFIG, verifier=name)
        own = own_parts_of(dataclasses.replace(loop, config=config, verifier=verifier))
        assert own.keys() == (set() if name == made else {"verifier"})
        assert own.get("verifier", "").startswith("" if name == made else type(verifier).__name__)


def asking(loop, template, kind=AskingVerifier):
    verifier = kind(loop.model, Question(template, loop.verifier.question.worth), 8, 8)
    return own_parts_of(dataclasses.replace(loop, verifier=verifier))["verifier"]


def test_another_question_is_another_verifier(loop):
    first, second = (asking(loop, f"{{prompt}}{{completion}}{mark}") for mark in "?:")
    assert first.startswith("AskingVerifier, question ")
    assert first != second
    assert first == asking(loop, "{prompt}{completion}?")
    named = loop.verifier.question.template
    assert asking(loop, named, Decided).startswith("test_part_names.Decided, question ")


def by_length(params, prompts, candidates, key):
    """A verifier that is a function."""
    return 1.0 / (1 + candidates.lengths)


def test_a_function_has_its_own_name(loop):
    own = own_parts_of(dataclasses.replace(loop, verifier=by_length))
    assert own == {"verifier": "test_part_names.by_length"}


def test_a_judge_may_read_more_at_a_time(loop):
    wider = dataclasses.replace(loop.verifier, rows_per_call=1, prompts_per_call=1)
    assert own_parts_of(dataclasses.replace(loop, verifier=wider)) == {}


@pytest.mark.parametrize("setting", ["addition", "of my own"])
def test_a_task_of_ones_own_has_the_name_of_its_class(loop, setting):
    config = dataclasses.replace(CONFIG, task=setting)
    loop = dataclasses.replace(loop, config=config, task=Lenient())
    assert own_parts_of(loop) == {"task": "test_part_names.Lenient"}


@pytest.mark.parametrize(
    ("setting", "own"),
    [("json:a.jsonl", {}), ("json:b.jsonl,c.jsonl", {}), ("addition", {"task": "PromptAnswers"})],
)
def test_a_built_in_task_is_ones_own_if_the_configuration_names_another(loop, setting, own):
    task = PromptAnswers.__new__(PromptAnswers)  # without its files
    config = dataclasses.replace(CONFIG, task=setting)
    assert own_parts_of(dataclasses.replace(loop, config=config, task=task)) == own


SCRIPT = """
from jaxgap.improve.runs.part_names import name_of
class Shortest: ...
NAMES = name_of(Shortest), name_of((lambda: type("Inner", (), {}))())
"""


def test_a_script_names_its_parts_alike_whether_it_is_run_or_imported(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    spec = importlib.util.spec_from_file_location("package.script", path)
    imported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(imported)
    ran = runpy.run_path(str(path), run_name="__main__")
    assert imported.NAMES == ran["NAMES"] == ("script.Shortest", "script.Inner")
