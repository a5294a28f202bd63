"""Tasks: exact grading, disjoint splits, the same problems for the same seed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.tasks import AbstractTask, Addition, Problem, TaskSplit

TASK = Addition()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_problems_are_sums_of_legal_operands(seed, count):
    problems = TASK.problems(count, seed=seed)
    assert problems == TASK.problems(count, seed=seed)
    assert len({problem.prompt for problem in problems}) == count
    for problem in problems:
        a, b = problem.prompt.removesuffix("=").split("+")
        assert int(a) + int(b) == int(problem.answer)
        assert len(problem.answer) == 3
        assert set(a[1:] + b[1:]) <= set("234567")
        assert {a[0], b[0]} <= set("234")


@settings(deadline=None)
@given(st.integers(0, 999), st.text(max_size=5))
def test_only_the_exact_answer_is_right(answer, completion):
    problem = Problem("1+1=", str(answer))
    assert TASK.grade(problem, str(answer))
    assert TASK.grade(problem, completion) == (completion == str(answer))
    for wrong in ("", f" {answer}", f"{answer} ", f"0{answer}", str(answer + 1)):
        assert not TASK.grade(problem, wrong)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_splits_share_no_prompt(num_train, num_held_out, seed):
    split = TASK.split(num_train, num_held_out, seed=seed)
    assert (len(split.train), len(split.held_out)) == (num_train, num_held_out)
    assert not {p.prompt for p in split.train} & {p.prompt for p in split.held_out}


def test_every_problem_can_be_drawn_and_no_more():
    task = Addition(leading="1", digits="05")
    assert {p.prompt for p in task.problems(16, seed=0)} == {
        f"{a}+{b}=" for a in (100, 105, 150, 155) for b in (100, 105, 150, 155)
    }
    with pytest.raises(ValueError, match="count must be at most 16, got 17"):
        task.problems(17, seed=0)


def test_overlap_is_refused():
    problem, other = Problem("1+1=", "2"), Problem("1+2=", "3")
    with pytest.raises(InputError, match=r"1 prompts are in both splits, for example '1\+1='"):
        TaskSplit(train=(problem, other), held_out=(problem,))
    with pytest.raises(ValueError, match="the train split repeats a prompt"):
        TaskSplit(train=(other, other), held_out=(problem,))
    with pytest.raises(ValueError, match="the held_out split is empty"):
        TaskSplit(train=(other,), held_out=())


def test_a_task_that_repeats_itself_is_refused():
    class Broken(AbstractTask):
        def problems(self, count, *, seed):
            return [Problem("1+1=", "2")] * count

        def grade(self, problem, completion):
            return completion == problem.answer

    with pytest.raises(ValueError, match="prompts are in both splits"):
        Broken().split(1, 1, seed=0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 30))
def test_a_task_that_gives_another_number_of_problems_is_refused(num_train, num_held_out, given_):
    class Miscounted(AbstractTask):
        def problems(self, count, *, seed):
            return [Problem(f"{number}?", "") for number in range(given_)]

        def grade(self, problem, completion):
            return True

    count = num_train + num_held_out
    if given_ == count:
        assert len(Miscounted().split(num_train, num_held_out, seed=0).held_out) == num_held_out
        return
    message = f"Miscounted.problems gave {given_} problems, where {count} are asked for"
    with pytest.raises(InputError, match=message) as caught:
        Miscounted().split(num_train, num_held_out, seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("num_train", "num_held_out"), [(0, 1), (1, 0), (-1, 5)])
def test_empty_splits_are_refused(num_train, num_held_out):
    with pytest.raises(ValueError, match="must be at least 1"):
        TASK.split(num_train, num_held_out, seed=0)


@pytest.mark.parametrize("digits", ["", "12x", "-1"])
def test_strange_digits_are_refused(digits):
    with pytest.raises(ValueError, match="digits must be one or more of"):
        Addition(digits=digits)
