"""MBPP in its two forms: the references pass, and programs are found in completions."""

import json
import textwrap
import time
from pathlib import Path

import pytest

from jaxgap.tasks import Mbpp, Problem
from jaxgap.tasks.mbpp import MAX_PROGRAM_CHARACTERS, program_in
from jaxgap.tasks.programs import ProgramJudge
from jaxgap.tasks.sandbox import Limits

FILES = Path(__file__).parent / "files"
LIMITS = Limits(wall_seconds=5, cpu_seconds=2, memory_mebibytes=128)


@pytest.fixture(scope="module")
def task(sandbox):
    return Mbpp(FILES / "mbpp.jsonl", limits=LIMITS)


def test_references_pass_and_others_do_not(task):
    problems = task.problems(4, seed=0)
    assert task.grade_all([(problem, problem.answer) for problem in problems]) == [True] * 4
    fenced = [(p, f"Like this:\n```python\n{p.answer}\n```\nGood?") for p in problems]
    assert task.grade_all(fenced) == [True] * 4
    shifted = [(problems[i], problems[i - 1].answer) for i in range(4)]
    assert (
        task.grade_all([*shifted, (problems[0], ""), (problems[0], "I do not know.")])
        == [False] * 6
    )


def test_the_sanitized_form(sandbox):
    task = Mbpp(FILES / "sanitized_mbpp.json", limits=LIMITS)
    (problem,) = task.problems(1, seed=0)
    assert "Write a function that gives the length of the hypotenuse." in problem.text
    assert "assert math.isclose(hypotenuse(3, 4), 5, rel_tol=1e-9)" in problem.text
    assert task.grade(problem, problem.answer)
    assert task.grade(problem, "def hypotenuse(a, b): return abs(complex(a, b))")
    assert not task.grade(problem, "def hypotenuse(a, b): return a + b")


def test_hidden_tests_count_and_are_not_shown(task):
    (problem,) = (p for p in task.problems(4, seed=0) if "left_over" in p.text)
    assert "[1, 1, 2]" not in problem.text
    by_rote = "def left_over(a, b): return {3: [1, 3], 0: []}[len(a)]"
    assert not task.grade(problem, by_rote)
    repeats_lost = "def left_over(a, b): return sorted(set(a) - set(b))"
    assert not task.grade(problem, repeats_lost)


def test_examples_have_the_line_ends_of_prompts(sandbox, tmp_path):
    """The published file has programs with those of Windows."""
    first, *others = map(json.loads, (FILES / "mbpp.jsonl").read_text().splitlines())
    published = first | {"code": first["code"].replace("\n", "\r\n")}
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in (published, *others)))
    (problem,) = Mbpp(path, num_examples=1, limits=LIMITS).problems(1, seed=0)
    assert problem.messages[1].content == f"```python\n{first['code'].strip()}\n```"


def test_references_run_once_a_process(sandbox, tmp_path, caplog, monkeypatch):
    judged = []
    judge_all = ProgramJudge.judge_all

    def counted(self, jobs):
        judged.extend(jobs)
        return judge_all(self, jobs)

    monkeypatch.setattr(ProgramJudge, "judge_all", counted)
    path = tmp_path / "mbpp.jsonl"

    def opened(*numbers, limits=LIMITS):
        """How many programs ran and how often it warned; those of odd numbers fail."""
        records = [
            {"text": f"{n}", "code": f"def f(): return {n}", "test_list": [f"assert f() == {n}"]}
            for n in numbers
        ]
        for record in records[1::2]:
            record["test_list"] = ["assert f() == -1"]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        judged.clear()
        caplog.clear()
        task = Mbpp(path, limits=limits)
        assert len(task.problems((len(numbers) + 1) // 2, seed=0)) == (len(numbers) + 1) // 2
        return len(judged), caplog.text.count("its own program fails")

    assert opened(100, 101, 102) == (3, 1)
    assert opened(100, 101, 102) == (0, 0)
    assert opened(100, 101, 104) == (1, 0)
    assert opened(100, 101, 104, limits=Limits(wall_seconds=6)) == (3, 0)


@pytest.mark.parametrize(
    "body", ["return len(bytearray(2**33))", "return f()", "while True: pass", "raise MemoryError"]
)
def test_references_that_reach_a_limit_are_kept(sandbox, tmp_path, body):
    path = tmp_path / "mbpp.jsonl"
    record = {"text": "a", "code": f"def f():\n    {body}", "test_list": ["assert f() == 1"]}
    path.write_text(json.dumps(record) + "\n")
    limits = Limits(wall_seconds=2, cpu_seconds=1, memory_mebibytes=128)
    assert len(Mbpp(path, limits=limits).problems(1, seed=0)) == 1


def test_isolation_is_said(task):
    assert str(task.isolation).startswith("system-call filter, resource limits, ")


def test_a_problem_of_another_task_is_refused(task):
    with pytest.raises(ValueError, match="problem must be one of this task's, got Problem"):
        task.grade(Problem("x", "y"), "z")


def test_where_the_program_is():
    assert program_in("x = 1") == "x = 1"
    assert program_in("a\n```\nx = 1\n```\n```\ny = 2\n```") == "x = 1\n"
    assert program_in("```python\nx = 1") == "x = 1"
    assert program_in("```Python  \nx = '```'\n```") == "x = '```'\n"
    assert program_in("```python\r\nx = 1\r\n```\r\n") == "x = 1\n"
    assert program_in('``` Python 3 title="f.py"\nx = 1\n```') == "x = 1\n"
    assert program_in("```bash\nls\n```\nthen\n```python\nx = 1\n```") == "x = 1\n"
    assert program_in("```bash\nls\n```") == "ls\n"
    indented = "1. So:\n   ```python\n   if x:\n       y = 1\n   ```"
    assert program_in(indented) == "if x:\n    y = 1\n"
    assert program_in("x" * (MAX_PROGRAM_CHARACTERS + 1)) == ""


def test_a_block_that_says_it_is_python_comes_before_those_that_do_not():
    program = "```py\ny = 2\n```"
    assert program_in(f"Output:\n```\n2\n```\nof\n{program}") == "y = 2\n"
    assert program_in(f"```sh\nls\n```\n```\nx = 1\n```\n{program}") == "y = 2\n"
    assert program_in("```sh\nls\n```\n```\nx = 1\n```") == "x = 1\n"
    assert program_in("```\nx = 1\n```python\n") == "x = 1\n"
    assert program_in("```\n```") == ""


def test_any_fence_that_is_not_deeper_ends_a_block():
    assert program_in("```python\nx = 1\n```python\nIt sets x.") == "x = 1\n"
    assert program_in("```\n2\n```python\nx = 1\n```") == "x = 1\n"
    documented = 'def f():\n    """As in\n    ```python\n    f()\n    ```\n    """\n'
    assert program_in(f"```python\n{documented}```\nIt does nothing.") == documented
    in_a_list = "- So:\n\t```python\n\tx = 1\n        ```\n- Done."
    assert program_in(in_a_list) == "x = 1\n"


PROGRAM = 'def f(x):\n    """Doubles."""\n    return 2 * x\n'
FORMS = {
    "after words": f"Here is the code: ```python\n{PROGRAM}```\nIt doubles.",
    "after words, open": f"Sure! ```Python\n{PROGRAM}",
    "in a list": "- ```python\n" + textwrap.indent(PROGRAM, "  ") + "  ```\n- It doubles.",
    "in a numbered list": "1. ```py\n" + textwrap.indent(PROGRAM, "   ") + "   ```",
    "closed only": f"{PROGRAM}```\nExplanation: it doubles",
    "closed only, at the end": f"{PROGRAM}```\n",
    "closed on the last line": f"```python\n{PROGRAM.rstrip()}```\nIt doubles.",
    "closed on the last line, before another": (
        f"```python\n{PROGRAM.rstrip()}```\nExample:\n```\nf(2)\n```"
    ),
    "closed on the last line, before a program": (
        f"```\n{PROGRAM.rstrip()}```\nExample:\n```bash\nls\n```"
    ),
    "after a draft": f"<think>\n```python\nx = 1\n```\nNo.\n</think>\n\n```python\n{PROGRAM}```",
    "after a sketch": f"<think>\n```python\nf(1)\n</think>\n{PROGRAM}",
    "four backticks": f"````python\n{PROGRAM}````\nIt doubles.",
    "tildes": f"Here:\n~~~py\n{PROGRAM}~~~\nIt doubles.",
    "unlabelled tildes": f"~~~~\n{PROGRAM}~~~~\nIt doubles.",
    "tildes after words": f"In ~5 lines: ~~~python\n{PROGRAM}~~~",
    "after words with a tilde": f"In ~5 lines: ```python\n{PROGRAM}```",
    "closed by more": f"```python\n{PROGRAM}`````\nIt doubles.",
    "closed by tildes only": f"{PROGRAM}~~~\n",
    "in a text in a longer fence": f"````markdown\n# f\n```python\n{PROGRAM}```\nDone.\n````",
    "in an unlabelled longer fence": f"````\nHere:\n```python\n{PROGRAM}```\n````",
    "a byte order mark": f"\ufeff{PROGRAM}",
    "a space without width before a fence": f"\u200b```python\n{PROGRAM}```\nIt doubles.",
    "after a long thought": f"<think>{'x' * MAX_PROGRAM_CHARACTERS}</think>\n{PROGRAM}",
}


@pytest.mark.parametrize("form", FORMS)
def test_fences_need_not_begin_a_line(form):
    assert program_in(FORMS[form]).strip() == PROGRAM.strip()


def test_fences_in_programs_end_none():
    for line in ('s = """```\n"""', "s = '```'", "s = 'x ```python'  #", "# x```"):
        assert program_in(f"```python\n{line}\nx = 1\n```\nSo.") == f"{line}\nx = 1\n"
    assert program_in("Solution\n```\nx = 1") == "x = 1"


@pytest.mark.parametrize(("outer", "inner"), [("````", "```"), ("~~~", "```"), ("```", "~~~~")])
def test_a_shorter_fence_or_one_of_the_other_mark_ends_no_block(outer, inner):
    documented = f'def f():\n    """As in\n{inner}python\nf()\n{inner}\n    """\n'
    for label in ("python", ""):
        assert program_in(f"{outer}{label}\n{documented}{outer}\nSo.") == documented


@pytest.mark.parametrize(
    "piece", ["```", "x```\n", "a ", " ", "- ```python\n", "`", "~~~\n", "````\n```\n", "(", "\t- "]
)
def test_hostile_texts_take_no_time(piece):
    text = (piece * MAX_PROGRAM_CHARACTERS)[:MAX_PROGRAM_CHARACTERS]
    begin = time.process_time()
    program_in(text)
    program_in(f"```python\n{text}"[:MAX_PROGRAM_CHARACTERS])
    assert time.process_time() - begin < 2


def test_programs_of_which_python_warns_are_judged_in_silence(task, recwarn):
    source = "def f(x):\n    return '\\d' if x is 1 else 1if x else 2\n"
    assert program_in(f"```python\n{source}```") == source
    assert task.canonical_answer(f"```python\n{source}```")
    assert not recwarn.list


def test_programs_that_differ_in_space_are_the_same_answer(task):
    assert task.canonical_answer("```python\nx = 1  \n\n\ny = 2\n```") == "x = 1\ny = 2"


def test_texts_over_several_lines_stay_as_they_are(task):
    program = 'def f():\n    return """a\n  \n\nb"""\n'
    assert program_in(f"```python\n{program}```") == program
    indented = "".join(f"  {line}\n" for line in ("def f():", "    return 1"))
    assert program_in(f"```python\n{indented}```") == "def f():\n    return 1\n"
    shorter = program.replace("  \n\n", "")
    assert task.canonical_answer(program) != task.canonical_answer(shorter)
    spaced = "\n" + program.replace("f():\n", "f():  \n\n") + "\n"
    assert task.canonical_answer(spaced) == task.canonical_answer(program) == program.rstrip()
