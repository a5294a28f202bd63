"""Tasks by name: what each name gives, and which names and options are refused."""

from pathlib import Path

import pytest

from jaxgap.errors import InputError
from jaxgap.tasks import Addition, Gsm8k, Mbpp, PromptAnswers, ProntoQA, named_task

FILES = Path(__file__).with_name("files")


def test_names_of_files():
    task = named_task(f"gsm8k:{FILES}/gsm8k.jsonl,{FILES}/gsm8k_test.jsonl")
    assert isinstance(task, Gsm8k)
    assert task.path == FILES / "gsm8k.jsonl"
    assert task.held_out_path == FILES / "gsm8k_test.jsonl"
    assert isinstance(named_task(f"prontoqa:{FILES}/prontoqa.jsonl"), ProntoQA)
    assert isinstance(named_task("addition"), Addition)


@pytest.mark.parametrize("place", ["{0}/gsm8k.jsonl , {0}/gsm8k_test.jsonl", "~/gsm8k.jsonl"])
def test_files_are_named_as_in_a_shell(monkeypatch, place):
    monkeypatch.setenv("HOME", str(FILES))
    task = named_task("gsm8k: " + place.format(FILES))
    assert isinstance(task, Gsm8k)
    assert task.path == FILES / "gsm8k.jsonl"
    assert task.held_out_path == (FILES / "gsm8k_test.jsonl" if "," in place else None)


def test_a_file_of_programs(sandbox):
    assert isinstance(named_task(f"mbpp:{FILES}/mbpp.jsonl"), Mbpp)


def test_options_are_passed_on():
    options = '{"prompt_field": "question", "answer_field": "answer", "num_examples": 1}'
    task = named_task(f"json:{FILES}/gsm8k.jsonl", options)
    assert isinstance(task, PromptAnswers)
    assert len(task.problems(1, seed=0)[0].messages) == 3


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gsm9k:f", "{}", "task 'gsm9k:f' is not one of addition, gsm8k, json"),
        ("os.system:ls", "{}", "is not one of"),
        ("gsm8k", "{}", "task 'gsm8k' must look like gsm8k:FILE"),
        ("addition:f", "{}", "task 'addition:f' must look like addition"),
        ("reasoning-gym", "{}", "must look like reasoning-gym:SET"),
        *[(f"gsm8k:{each}", "{}", "names an empty file") for each in ("f,", ",f", "f, ", " ", ",")],
        ("gsm8k:none.jsonl", "{}", "none.jsonl: no such file"),
        ("gsm8k:~nobody-of-that-name/f", "{}", "there is no such home folder"),
        ("gsm8k:f", "[1]", r"the task's options must be a JSON object, got '\[1\]'"),
        ("gsm8k:f", "{", "the task's options must be a JSON object"),
        ("gsm8k:f", '{"limits": 1}', "has the options num_examples, not 'limits'"),
        ("addition", '{"num_examples": 1}', "task 'addition' has no options, not 'num_examples'"),
        ("gsm8k:f", '{"num_examples": "1"}', "option num_examples must be of type int"),
        ("gsm8k:f", '{"num_examples": true}', "option num_examples must be of type int"),
    ],
)
def test_others_are_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        named_task(name, options)
