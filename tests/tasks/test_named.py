"""Tasks by name: what each name gives, and which names and options are refused."""

import shutil
from pathlib import Path

import pytest

from jaxgap.errors import InputError
from jaxgap.tasks import Addition, Gsm8k, Mbpp, PromptAnswers, ProntoQA, named_task
from jaxgap.tasks.named import with_absolute_files

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


@pytest.mark.parametrize(
    "place", ["a.jsonl", "a.jsonl, b,c.jsonl", "~/a.jsonl", "./d:e/../a.jsonl"]
)
def test_files_are_the_same_from_another_folder(monkeypatch, tmp_path, place):
    home = tmp_path / "x: y"
    (home / "d:e").mkdir(parents=True)
    shutil.copy(FILES / "gsm8k.jsonl", home / "a.jsonl")
    shutil.copy(FILES / "gsm8k_test.jsonl", home / "b,c.jsonl")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    named = with_absolute_files(f"gsm8k:{place}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/nowhere")
    task = named_task(named)
    assert isinstance(task, Gsm8k)
    assert task.path.samefile(home / "a.jsonl")
    assert (task.held_out_path is None) == ("," not in place)
    assert task.held_out_path is None or task.held_out_path.samefile(home / "b,c.jsonl")
    assert with_absolute_files(named) == named


@pytest.mark.parametrize(
    "name",
    ["addition", "reasoning-gym:a", "gsm8k:a,nothing", "mine:a", "addition:a", "gsm8k:a", "gsm8k"],
)
def test_what_names_no_file_or_none_that_a_name_could_hold_stays(monkeypatch, tmp_path, name):
    folder = tmp_path / ("with,comma" if name == "gsm8k:a" else "plain")
    folder.mkdir()
    (folder / "a").touch()
    monkeypatch.chdir(folder)
    assert with_absolute_files(name) == name


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
