"""MATH: answers are compared as mathematics, in bounded time."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.tasks import MathProblems, Problem
from jaxgap.tasks import sandboxed_grader as sandboxed_grader_module
from jaxgap.tasks.math_problems import LIMITS, _final
from jaxgap.tasks.sandboxed_grader import require

FILES = Path(__file__).parent / "files"
RIGHT = [
    ("\\frac{3}{7}", "\\frac37"),
    ("\\frac{3}{7}", "3/7"),
    ("\\frac{3}{7}", "\\dfrac{6}{14}"),
    ("\\frac{1}{2}", "0.5"),
    ("5\\sqrt{2}", "\\sqrt{50}"),
    ("5\\sqrt{2}", "5 \\sqrt 2"),
    ("(-3,3)", "x \\in (-3,3)"),
    ("x^2+2x+1", "(x+1)^2"),
    ("x^2+2x+1", "1 + 2x + x^2"),
    ("\\text{north}", "north"),
    ("\\text{north}", "\\textbf{North}"),
    ("\\text{Evelyn}", "evelyn"),
    ("1000", "1,000"),
    ("-2", "−2"),
    ("\\{1,2,3\\}", "\\{3,1,2\\}"),
    ("90^\\circ", "90"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix}1\\\\2\\end{bmatrix}"),
    ("2\\pi", "2 \\cdot \\pi"),
    ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"),
]
WRONG = [
    ("\\frac{3}{7}", "\\frac{7}{3}"),
    ("\\frac{3}{7}", "0.43"),
    ("5\\sqrt{2}", "7.07"),
    ("5\\sqrt{2}", "5"),
    ("(-3,3)", "[-3,3]"),
    ("x^2+2x+1", "x^2+1"),
    ("\\text{north}", "south"),
    ("-2", "2"),
    ("\\{1,2,3\\}", "\\{1,2\\}"),
    ("1000", "1,00"),
    ("5", "4.99999999"),
    ("I", "i"),
    ("\\Phi(2)", "\\phi(2)"),
    ("2", ""),
    ("2", "I do not know"),
]
# Where math-verify is told more than it sees.
RIGHT_AS_WELL = [
    ("90^\\circ", "90°"),
    ("90°", "90"),
    ("1234", "1\\,234"),
    ("1\\ 234", "1234"),
    ("70000", "70\\,000."),
    ("20^\\circ C", "20°C"),
    ("2.5", "2.5^°"),
    ("2.5^{°}", "2.5"),
    ("12", "12."),
    ("\\varnothing", "\\emptyset"),
    ("\\{\\}", "\\varnothing"),
    ("2516_8", "2516_{8}"),
    ("2516_8", "2516"),
    ("2 1/2", "2.5"),
    ("-\\frac{5}{2}", "-2 1/2"),
    ("2\\frac12", "2\\,1/2"),
    ("\\frac{5}{2}", "2 1/2\\text{ cups}"),
    ("x=1,234\\ 1/2", "\\frac{2469}{2}"),
    ("\\{1,\\frac52\\}", "1, 2 1/2"),
    ("2000000", "2\\text{ million}"),
    ("2 million", "2{,}000{,}000"),
    ("2500000", "\\$2.5 \\text{ million dollars}"),
    ("1500000", "1,500\\ thousand"),
    ("2500000", "2 1/2\\text{ million}"),
    ("\\ge 6", "6\\text{ or more}"),
    ("\\lt 6", "< 6"),
    ("\\leqslant 6", "6\\text{ or less}"),
    ("x\\le 6", "6 \\ge x"),
    ("\\left[6,7\\right]", "[6,7]"),
]
WRONG_AS_WELL = [
    ("2516_8", "2516_9"),
    ("1F_{16}", "1F_{15}"),
    ("\\frac{3}{2}", "2 1/2"),
    ("2 1/2", "1"),
    ("1", "1 1/2"),
    ("2", "2\\text{ million}"),
    ("2000", "2\\text{ million}"),
    ("6", "\\ge 6"),
    ("6", ">6"),
    ("6", "6\\text{ or more}"),
    ("\\ge 6", "6"),
    ("\\ge 6", "\\le 6"),
    ("\\ge 6", "> 6"),
    ("\\log_2 \\frac{5}{2}", "\\log_2 1/2"),
    ("5", "\\ne 5"),
    ("5", "\\neq 5"),
    ("5", "≠ 5"),
    ("5000000", "5 \\text{ m\u0131llion}"),
]
HOSTILE = {
    "a power": "\\boxed{9^{9^{9^{9}}}}",
    "a power in Python": "<answer>9**9**9**9</answer>",
    "a factorial": "\\boxed{100000000!!!}",
    "a sum": "\\boxed{\\sum_{n=1}^{10^{12}} \\frac{1}{n^{n}}}",
    "brackets": "\\boxed{" + "(" * 1900 + ")" * 1900 + "}",
    "fractions": "\\boxed{" + "\\frac{1}{" * 180 + "2" + "}" * 180 + "}",
    "roots": "\\boxed{" + "\\sqrt{" * 250 + "2" + "}" * 250 + "}",
    "code": "\\boxed{__import__('os').system('touch /tmp/jaxgap-was-here')}",
    "megabytes": "\\boxed{" + "x" * 5_000_000 + "}",
    "an equation": "\\boxed{" + "+".join(f"x_{{{i}}}^{{{i}}}" for i in range(200)) + "=0}",
}


@pytest.fixture(scope="module")
def task(sandbox):
    pytest.importorskip("math_verify", reason="needs the extra 'tasks'")
    return MathProblems(FILES / "math.jsonl", limits=dataclasses.replace(LIMITS, wall_seconds=4))


def test_references_are_the_last_boxed(task):
    problems = task.problems(5, seed=0)
    answers = {problem.answer for problem in problems}
    assert answers == {
        "\\frac{3}{7}", "5\\sqrt{2}", "(-3,3)", "\\text{north}", "x^2+2x+1",
    }  # fmt: skip
    assert task.grade_all([(problem, problem.answer) for problem in problems]) == [True] * 5
    assert all("put the final answer in \\boxed{}." in problem.text for problem in problems)


def test_a_table_of_pairs(task):
    right, wrong = RIGHT + RIGHT_AS_WELL, WRONG + WRONG_AS_WELL
    pairs = [
        (Problem("?", reference), f"So $\\boxed{{{said}}}$.") for reference, said in right + wrong
    ]
    graded = dict(zip(right + wrong, task.grade_all(pairs), strict=True))
    assert [pair for pair in right if not graded[pair]] == []
    assert [pair for pair in wrong if graded[pair]] == []


def test_grades_agree_with_math_verify_itself(task):
    from math_verify import parse, verify

    pairs = [(a, b) for a, b in RIGHT + WRONG if b and "text" not in a]  # words: by themselves
    direct = [verify(parse(f"\\boxed{{{a}}}"), parse(f"\\boxed{{{b}}}")) for a, b in pairs]
    assert task.grade_all([(Problem("?", a), f"\\boxed{{{b}}}") for a, b in pairs]) == direct


def test_where_the_answer_is_looked_for(task):
    problem = Problem("?", "\\frac{3}{7}")
    completions = ["The answer is $3/7$.", "#### 3/7", "first \\boxed{1}\nthen \\boxed{3/7}", "3/7"]
    assert task.grade_all([(problem, text) for text in completions]) == [True] * 4


@pytest.mark.parametrize(
    ("completion", "right"),
    [
        ("The answer is $5$ dollars.", True),
        ("So there are $5$ ways.", True),
        ("So we have a total of $5$ square units.", True),
        ("The answer is $5$.\n\nI hope this answer is helpful!", True),
        ("The answer is not $5$.", False),
        ("The answer is 5 dollars.", True),
        ("So there are -5 ways", False),
        ("The answer is \\$5.", True),
        ("The answer is $5 dollars.", True),
        ("The answer is 5 million dollars.", False),
        ("The answer is 5 thirds.", False),
        ("The answer is 5 or 6 dollars.", False),
        ("The answer is $5$ or $6$.", False),
        ("The answer is $5$ or six", False),
        ("The answer is $5 or $6.", False),
        ("The answer is more than $5$.", False),
        ("The answer is half of $5$", False),
        ("The answer is 2 + $5$", False),
    ],
)
def test_the_only_formula_of_a_line_is_its_answer(task, completion, right):
    assert task.grade(Problem("?", "5"), completion) == right


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        *((line, line) for line in ("−$5$", "$2$π", "x ≠ $5$", "$2$x", "double $5$", "sin $5$")),
        *((line, line) for line in ("x$^2$", "x $< 5$", "y $= 2x$", "$5$!", "$5$² cm", "√$5$")),
        *((line, line) for line in ("$5$ factorial", "$5$ M", "$< 5$ cm", "there are no $5$ ways")),
        *((line, line) for line in ("$5$ thirds", "2 $5$ cm", "$5$ cm $6$ m", "iſ $5$ cm")),
        ("$x$+$y$", "x$+$y"),
        ("there are $-5$", "-5"),
        ("Equal to: $\\{1, 2\\}$", "\\{1, 2\\}"),
        ("$\\frac12$ cubic inches", "\\frac12"),
    ],
)
def test_a_formula_is_taken_only_among_words_that_change_nothing(said, answer):
    assert _final(f"The answer is {said}.") == answer


def test_what_stands_around_a_formula_counts(task):
    said = {"−$5$": "-5", "$2$π": "2\\pi", "$2$x": "2x", "x$^2$": "x^2", "y $= 2x$": "y=2x"}
    pairs = [(Problem("?", right), f"The answer is {line}.") for line, right in said.items()]
    bare = [(Problem("?", "5"), f"The answer is {line}.") for line in ("−$5$", "x ≠ $5$")]
    bare += [(Problem("?", "2"), f"The answer is {line}.") for line in ("$2$π", "$2$x")]
    assert task.grade_all(pairs + bare) == [True] * len(pairs) + [False] * len(bare)


@settings(deadline=None, max_examples=20)
@given(whole=st.integers(1, 10**6), bottom=st.integers(2, 99), data=st.data())
def test_mixed_numbers_are_sums(task, whole, bottom, data):
    top = data.draw(st.integers(1, bottom - 1))
    mixed, improper = f"{whole} {top}/{bottom}", f"\\frac{{{whole * bottom + top}}}{{{bottom}}}"
    pairs = [(mixed, improper), (improper, mixed), (mixed, f"{whole}\\frac{{{top}}}{{{bottom}}}")]
    asked = [(Problem("?", reference), f"\\boxed{{{said}}}") for reference, said in pairs]
    assert task.grade_all(asked) == [True] * len(pairs)
    forms = task.canonical_answers([f"\\boxed{{{mixed}}}", f"\\boxed{{{improper}}}"])
    assert len(set(forms)) == 1


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_one_canonical_form_one_grade(task, data):
    said = [said for pair in RIGHT + WRONG for said in pair] + [
        "5",
        "4.9999999",
        "5.0",
        "4.99999999",
    ]
    reference, first, second = (data.draw(st.sampled_from(said)) for _ in range(3))
    pairs = [(Problem("?", reference), f"\\boxed{{{answer}}}") for answer in (first, second)]
    if len(set(task.canonical_answers([text for _, text in pairs]))) == 1:
        assert len(set(task.grade_all(pairs))) == 1


def test_equal_answers_have_one_canonical_form(task):
    groups = [
        ["\\boxed{0.5}", "The answer is 1/2.", "\\boxed{\\frac12}", "\\boxed{\\dfrac{2}{4}}"],
        ["\\boxed{x^2+1}", "\\boxed{1+x^2}"],
        ["\\boxed{(x-2)(x-3)}", "\\boxed{x^2-5x+6}"],
        ["\\boxed{(x+1)^3}", "\\boxed{x^3+3x^2+3x+1}"],
        ["\\boxed{\\frac{n(n-1)}{2}}", "\\boxed{\\frac{n^2-n}{2}}"],
        ["\\boxed{\\sqrt{8}}", "\\boxed{2\\sqrt2}"],
        ["\\boxed{\\text{east}}", "\\boxed{east}"],
        ["\\boxed{x=5}", "\\boxed{5}"],
        ["\\boxed{10\\%}", "The answer is 10%."],
        ["\\boxed{0.1}"],
        ["\\boxed{6}", "\\boxed{6.0}", "The answer is $6$."],
        ["\\boxed{5.99999999}"],
        ["\\boxed{2516_8}", "\\boxed{2516_{8}}"],
        ["\\boxed{2516_9}"],
        ["\\boxed{2516}", "\\boxed{2\\,516}", "\\boxed{2516.}"],
        ["\\boxed{2\\text{ million}}", "\\boxed{2000000}", "The answer is 2 million dollars."],
        ["\\boxed{\\ge 2}", "\\boxed{2\\text{ or more}}"],
        ["\\boxed{> 2}"],
        ["\\boxed{2}"],
        ["\\boxed{(2,3)}"],
        ["\\boxed{(3,2)}"],
        [""],
    ]
    found = [set(task.canonical_answers(group)) for group in groups]
    assert [len(forms) for forms in found] == [1] * len(groups)
    assert len(set.union(*found)) == len(groups)


def test_hostile_answers_end_in_time(task, endings):
    problem = Problem("?", "2\\pi")
    assert task.grade_all([(problem, text) for text in HOSTILE.values()]) == [False] * len(HOSTILE)
    assert "no reply in 4 seconds" in endings
    assert "hung" not in endings
    assert not Path("/tmp/jaxgap-was-here").exists()
    assert task.grade(problem, "\\boxed{\\pi + \\pi}")


def test_math500_and_the_published_folder(sandbox, tmp_path):
    pytest.importorskip("math_verify", reason="needs the extra 'tasks'")
    (problem,) = MathProblems(FILES / "math500.jsonl").problems(1, seed=0)
    assert problem.answer == "81"
    record = json.loads((FILES / "math.jsonl").read_text().splitlines()[0])
    folder = tmp_path / "train" / "prealgebra"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(record))
    (problem,) = MathProblems(tmp_path / "train").problems(1, seed=0)
    assert problem.answer == "\\frac{3}{7}"
    (folder / "1.json").write_text(json.dumps(record | {"solution": "none"}))
    with pytest.raises(InputError, match=r"1.json: field 'solution': must have its answer in"):
        MathProblems(tmp_path / "train")


@pytest.mark.parametrize(
    ("answer", "said"), [(204, "204"), (-7, "-7"), (0.5, "\\frac{1}{2}"), ("3^2", "9")]
)
def test_an_answer_needs_no_solution_and_may_be_a_number(sandbox, tmp_path, answer, said):
    pytest.importorskip("math_verify", reason="needs the extra 'tasks'")
    records = [{"problem": f"{i}?", "answer": answer} for i in range(2)]
    path = tmp_path / "aime.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    task = MathProblems(path, num_examples=1)
    (problem,) = task.problems(1, seed=0)
    assert task.grade(problem, f"So $\\boxed{{{said}}}$.")
    assert not task.grade(problem, "\\boxed{5}")
    # The example, whose steps nobody knows, shows how an answer is marked.
    assert task.grade(problem, problem.messages[1].content)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"answer": None, "solution": "\\boxed{1}"}, "field 'answer': must be a text or a finite"),
        ({"answer": True}, "field 'answer': must be a text or a finite number, got True"),
        ({"answer": " "}, "field 'answer': must be a text, got ' '"),
        ({}, "has no field 'solution'; it has problem"),
    ],
)
def test_a_problem_without_a_reference_is_refused(tmp_path, record, message):
    pytest.importorskip("math_verify", reason="needs the extra 'tasks'")
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"problem": "?"} | record))
    with pytest.raises(InputError, match=f"bad.jsonl:1: {message}"):
        MathProblems(path)


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setattr(sandboxed_grader_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"MATH problems need the package math_verify: pip install"
    ):
        MathProblems(FILES / "math.jsonl")
    with pytest.raises(InputError, match=r"X need the package y: pip install 'jaxgap\[tasks\]'"):
        require("y", "X")
