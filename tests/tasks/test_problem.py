"""Prompts as text and as turns, and splits that share none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxgap.tasks
from jaxgap.errors import InputError
from jaxgap.tasks import AbstractTask, Message, Problem, TaskSplit
from jaxgap.tasks.problem import normal_prompt


def test_a_prompt_is_a_text_or_turns():
    assert Problem("Hi", "").messages == (Message("user", "Hi"),)
    turns = (Message("user", "1+1"), Message("assistant", "2"), Message("user", "1+2"))
    assert Problem(turns, "3").messages == turns
    text = "Question: 1+1\n\nAnswer: 2\n\nQuestion: 1+2\n\nAnswer:"
    assert Problem(turns, "3").text == text
    assert Problem("Hi", "").text == "Hi"


@given(st.text(min_size=1))
def test_prompts_that_differ_in_space_or_case_overlap(prompt):
    other = f"  {prompt.upper()}\n\n"
    if normal_prompt(other) != normal_prompt(prompt):
        return  # a letter whose capital letter's small letter is another one
    with pytest.raises(ValueError, match="1 prompts are in both splits"):
        TaskSplit((Problem(prompt, ""),), (Problem(other, ""),))


def test_a_shared_prompt_is_recognised_by_its_question_not_by_the_examples_before_it():
    shots = (Message("user", "1+1" * 50), Message("assistant", "2"))
    train, held_out = (Problem((*shots, Message("user", text)), "") for text in ("a b", "A  B"))
    with pytest.raises(InputError, match="1 prompts are in both splits, for example 'A  B': held"):
        TaskSplit((train,), (held_out,))
    long = Problem((*shots, Message("user", "c" * 81)), "")
    assert long.short_question == "c" * 77 + "..."
    assert Problem((Message("system", "s"),), "").short_question == "s"


def test_within_a_split_prompts_may_differ_in_case():
    TaskSplit((Problem("a", ""), Problem("A", "")), (Problem("b", ""),))


def test_grading_and_canonical_answers_of_many():
    class Doubling(AbstractTask):
        def problems(self, count, *, seed):
            return [Problem(f"2*{n}", str(2 * n)) for n in range(count)]

        def grade(self, problem, completion):
            return completion.strip() == problem.answer

    task = Doubling()
    pairs = [(problem, completion) for problem in task.problems(3, seed=0) for completion in "02"]
    assert task.grade_all(pairs) == [True, False, False, True, False, False]
    assert task.canonical_answers([" 2", "2\n", "3"]) == ["2", "2", "3"]


def test_importing_tasks_needs_neither_jax_nor_the_extras():
    script = (
        "import sys\n"
        "for name in ('jax', 'flax', 'sympy', 'math_verify', 'reasoning_gym'):\n"
        "    sys.modules[name] = None\n"
        "import jaxgap.tasks\n"
        "for name in jaxgap.tasks.__all__:\n"
        "    getattr(jaxgap.tasks, name)\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": root},
        check=True,
        timeout=60,
    )


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        jaxgap.tasks.Nothing  # noqa: B018


@pytest.mark.parametrize(
    "prompt",
    [
        [{"role": "user", "content": "1+1"}],
        (Message("human", "1+1"),),
        (Message("user", 5),),  # pyright: ignore[reportArgumentType]
        b"1+1",
        3,
        (("user", "1+1"),),
    ],  # pyright: ignore
)
def test_other_prompts_are_refused(prompt):
    with pytest.raises(
        InputError, match=r"a text or a tuple of Message\(role, content\), where role"
    ):
        Problem(prompt, "2")


def test_an_answer_is_anything_that_json_holds():
    assert Problem("1+2", ["3", "3."]).answer == ["3", "3."]  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"something else that JSON can hold, got \{3\}"):
        Problem("1+2", {3})  # pyright: ignore[reportArgumentType]


def test_a_prompt_composed_otherwise_is_the_same_prompt():
    composed, decomposed = "caf\u00e9?", "cafe\u0301?"
    assert composed != decomposed
    assert normal_prompt(composed) == normal_prompt(decomposed) != normal_prompt("cafe?")
