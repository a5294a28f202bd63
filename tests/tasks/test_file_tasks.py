"""Data sets in their published forms, from small files of this project's own."""

import json
import re
import time
from pathlib import Path

import pytest

from jaxgap.errors import InputError
from jaxgap.tasks import Gsm8k, Mbpp, PromptAnswers, ProntoQA
from jaxgap.tasks.records import MAX_FIELD_CHARACTERS, read_records
from jaxgap.tasks.sandbox import Limits

FILES = Path(__file__).parent / "files"


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_gsm8k_reads_the_number_after_the_hashes():
    task = Gsm8k(FILES / "gsm8k.jsonl")
    problems = task.problems(5, seed=0)
    assert {problem.answer for problem in problems} == {"54", "1350", "-5", "7/2", "200"}
    assert problems == task.problems(5, seed=0)
    assert [p.prompt for p in problems] != [p.prompt for p in task.problems(5, seed=1)]
    for problem in problems:
        assert "The answer is NUMBER." in problem.text
        assert task.grade(problem, f"So.\nThe answer is {problem.answer}.")
        assert task.grade(problem, f"<answer>{problem.answer} jars</answer>")
        assert not task.grade(problem, f"The answer is {problem.answer}1.")
        assert not task.grade(problem, "")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        *(("1,234", "1234"), (" -5 ", "-5"), ("3.5", "7/2"), (".5", "1/2"), ("$5", "5")),
        *(("50%", "50"), ("1/2", "1/2"), ("18.00 dollars", "18"), ("2 1/2", "5/2")),
    ],
)
def test_gsm8k_references_in_the_forms_of_a_number(tmp_path, said, answer):
    path = lines(tmp_path / "own.jsonl", {"question": "a?", "answer": f"So.\n#### {said}"})
    (problem,) = Gsm8k(path).problems(1, seed=0)
    assert problem.answer == answer


@pytest.mark.parametrize(
    "said",
    [
        *("45 m^2", "1 200", "3:30", "18-20", "5\n\nextra 7", "5 apples in 3 days", "10 or 11"),
        *("2 hours and 30 minutes", "9 x 2", "not 5", "1,2345", "10:00"),
    ],
)
def test_gsm8k_references_that_hold_more_than_a_number_are_refused(tmp_path, said):
    path = lines(tmp_path / "own.jsonl", {"question": "a?", "answer": f"So.\n#### {said}"})
    message = f"own.jsonl:1: field 'answer': must end with '#### ' and a number alone, got {said!r}"
    with pytest.raises(InputError, match=re.escape(message)):
        Gsm8k(path)


@pytest.mark.parametrize(
    ("completion", "right"),
    [
        ("12 + 1,338 = 1,350\nThe answer is $1,350.", True),
        ("#### 1350", True),
        ("\\boxed{1350.00}", True),
        ("She earns 3 * 450 = 1350", True),
        # Of a line without a mark its last number counts, not the one that it states first.
        ("She sells 3 kites, and then she has 1350", True),
        ("She has 1350, and then she sells 3 kites", False),
        ("The answer is 1350 or 1351.", False),
        ("The answer is $1,350 for 3 kites.", True),
        ("The answer is 1351, not 1350.", False),
        ("The answer is 1350 (= 3 x 450).", True),
        ("The answer is -1350.", False),
        ("The answer is unknown", False),
        ("#### 1350 or $1,350.00", True),
        ("#### 1350 = 3 x 450", True),
        ("The answer is \\(1350\\) dollars for 3 kites.", True),
        ("The answer is \\(3 \\times 450 = 1350\\).", True),
        ("The answer is 2700/2 = 1351.", False),
        ("The answer is 2701/2 = 1350.", True),
        ("The answer is $1350 since 3*450 = 1350 and change = 1400 - 50", True),
        ("\\boxed{1350}\n(given in \\boxed form)", True),
        ("1350 \n 7", False),
        ("#### Step 2: kites\n3 * 450 = 1350\n\nThe answer is 1350.", True),
        ("#### Conclusion\nShe earns 1350", True),
        ("#### Final Answer\n1350", True),
        ("#### 1350\nI hope this answer is good.", True),
        ("#### 1350\nNo, the answer is 1351.", False),
        ("The final answer is:\n\\[\n1350\n\\]", True),
        ("\\[\n3 \\times 450 = 1350\n\\]", True),
        ("The answer is:\n- 1350 dollars", True),
        ("The answer is:\n> 1350", True),
        ("- 1350", True),
        ("The answer is not 1350 but 1351.", False),
        ("The answer isn't 1350.", False),
        ("The answer is not 1351 but 1350.", True),
        ("#### - 1350", False),
        ("The answer is minus 1350", False),
        ("So it changes by 50 - 1400 = - 1350", False),
        ("The answer is 1350 + 1.", False),
        ("\\boxed{1350-1360}", False),
        ("The answer is <b>1350</b>", True),
        ("The answer is 1.35k dollars", True),
    ],
)
def test_gsm8k_grades_the_number_of_the_final_answer(completion, right):
    task = Gsm8k(FILES / "gsm8k.jsonl")
    (problem,) = (p for p in task.problems(5, seed=0) if p.answer == "1350")
    assert task.grade(problem, completion) == right
    assert (task.canonical_answer(completion) == "1350") == right


def test_prompts_that_repeat_are_left_out():
    with pytest.raises(InputError, match=r"gsm8k.jsonl: has 5 distinct problems, 6 are asked for"):
        Gsm8k(FILES / "gsm8k.jsonl").problems(6, seed=0)


@pytest.mark.parametrize(("answer", "warned"), [("no", True), ("yes", False)])
def test_repeats_with_other_answers_are_said(tmp_path, caplog, answer, warned):
    prompts = [("Is A a vowel?", "yes"), ("is a  A vowel?", answer), ("Is B?", "no")]
    records = [{"prompt": prompt, "answer": each} for prompt, each in prompts]
    task = PromptAnswers(lines(tmp_path / "own.jsonl", *records))
    assert {problem.answer for problem in task.problems(2, seed=0)} == {"yes", "no"}
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    said = "own.jsonl:2: 1 prompts repeat an earlier one, up to case and white space, with another"
    assert [said in each for each in warnings] == [True] * warned


def test_held_out_problems_may_have_a_file_of_their_own():
    task = Gsm8k(FILES / "gsm8k.jsonl", FILES / "gsm8k_test.jsonl")
    split = task.split(5, 2, seed=3)
    assert {p.answer for p in split.held_out} == {"26", "320"}
    with pytest.raises(InputError, match=r"gsm8k_test.jsonl: has 2 distinct problems, 3 are asked"):
        task.split(5, 3, seed=3)
    with pytest.raises(ValueError, match="num_held_out must be at least 1, got 0"):
        task.split(5, 0, seed=3)


def test_files_that_share_prompts_are_refused(tmp_path):
    question = "TEN snails crawl 20 cm each. How far is that in total?"
    shared = lines(tmp_path / "test.jsonl", {"question": question, "answer": "#### 200"})
    with pytest.raises(ValueError, match="1 prompts are in both splits, for example 'TEN snails"):
        Gsm8k(FILES / "gsm8k.jsonl", shared).split(5, 1, seed=0)


def test_examples_are_earlier_turns_and_are_not_drawn():
    task = Gsm8k(FILES / "gsm8k.jsonl", num_examples=2)
    problems = task.problems(3, seed=0)
    assert {problem.answer for problem in problems} == {"-5", "7/2", "200"}
    for problem in problems:
        roles = [message.role for message in problem.messages]
        assert roles == ["user", "assistant", "user", "assistant", "user"]
        solution = problem.messages[1].content
        assert solution.endswith("Both hold 12+42=54 jars.\nThe answer is 54.")
        assert problem.text.count("The answer is NUMBER.") == 3
    with pytest.raises(
        InputError, match="has 6 usable records, too few for 6 examples and a problem"
    ):
        Gsm8k(FILES / "gsm8k.jsonl", num_examples=6)
    with pytest.raises(InputError, match="num_examples must be 0 or more, got -1"):
        Gsm8k(FILES / "gsm8k.jsonl", num_examples=-1)


@pytest.mark.parametrize("name", ["prontoqa.json", "prontoqa.jsonl"])
def test_prontoqa_in_its_forms(name):
    task = ProntoQA(FILES / name)
    problems = task.problems(2, seed=0)
    assert {problem.answer for problem in problems} == {"True", "False"}
    for problem in problems:
        other = "True" if problem.answer == "False" else "False"
        assert task.grade(problem, f"Hence so.\nThe answer is {problem.answer}.")
        assert task.grade(problem, problem.answer.lower())
        assert not task.grade(problem, f"{problem.answer}\nThe answer is {other}.")
        assert task.grade(problem, f"The answer is {problem.answer}, not {other}.")
        assert task.grade(problem, f"True or false: Max is red. {problem.answer}.")
        assert not task.grade(problem, "True or false: Max is red.")
        assert not task.grade(problem, "maybe, truly a falsehood")


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("The answer is that it is not true, so False.", "False"),
        ("<answer>The statement is not true. It is false.</answer>", "False"),
        ("<answer>The statement is not true.</answer>", "False"),
        ("The answer is: it isn't true.", "False"),
        ("The answer is that this is not false.", "True"),
        ("<answer>The statement is true, not false.</answer>", "True"),
        ("<answer>**B) False**, as it is not true that it is true</answer>", "False"),
        ("Answer: (A) True; false would need a wumpus.", "True"),
        ("The answer is not true", "False"),
        ("So it is not true.", "False"),
        ("#### Step 1\nMax is a wumpus.\nThe answer is True.", "True"),
        ("#### Conclusion\nIt is not true.", "False"),
        ("#### True or false: Max is red\nTrue", "True"),
        ("The answer is True (or False).", ""),
        ("It is True/False that matters.\nThe answer is False.", "False"),
        ("The answer is True / False", ""),
        ("The answer is that it cannot be true.", "False"),
        ("Max is red, so it can't be false.", "True"),
        ("The answer is: it is not necessarily true.", "False"),
        ("The answer is: this is not a true statement.", "False"),
        ("The answer is: it is not actually true", "False"),
        ("The statement is not at all true", "False"),
        ("The answer is never true.", "False"),
        ("The answer is that it cannot possibly be true.", "False"),
        ("It is no longer true.", "False"),
        ("The answer is: it is not the case that it is true", "False"),
        ("It is not necessarily the case that the statement is true.", "False"),
        ("The answer is **not** **true**.", "False"),
        ("The statement is hardly true.", "False"),
        ("The statement is untrue.", "False"),
        ("It is false that it is true.", "False"),
        ("The answer is not untrue.", "True"),
        ("It isn\u2019t really false.", "True"),
        ("It is not false that it is true.", "True"),
        ("The answer is: it is not true that it is false.", "True"),
        ("The statement is true rather than false.", "True"),
        ("The answer is: it is not true that x is false", ""),
        ("The statement cannot be proven true.", ""),
        ("It is not certain that it is true", ""),
        ("I don't think it is true.", ""),
        ("This does not make it true.", ""),
        ("It is neither true nor false.", ""),
        ("The opposite is true.", ""),
        ("The answer is not: True", ""),
        ("The answer is not (True).", ""),
    ],
)
def test_prontoqa_takes_the_verdict_of_an_explanation(completion, answer):
    assert ProntoQA(FILES / "prontoqa.json").canonical_answer(completion) == answer


@pytest.mark.parametrize("verdict", ["True", "False"])
@pytest.mark.parametrize(
    "completion",
    [
        "Sally is not a dog. {}",
        "Sally is not a dog, {}",
        "Sally isn't a dog and {}",
        "Sally is never a dog: {}",
        "Sally is not a dog \u2014 {}",
        "Is Sally a dog? She is not. {}",
        "Since Sally is not a dog the statement is {}.",
        "It is not red so the statement is {}.",
        "So the statement that Sally is not a dog is {}.",
        'So the statement "Sally is not a dog" is {}.',
        "So the statement 'Sally isn't a dog' is {}.",
        "So the statement \u201cSally cannot be that\u201d is {}.",
        "There is no doubt it is {}.",
        "The answer is {}, as Sally is not a dog.",
    ],
)
def test_prontoqa_denials_of_something_else_do_not_touch_the_verdict(completion, verdict):
    task = ProntoQA(FILES / "prontoqa.json")
    assert task.canonical_answer(completion.format(verdict)) == verdict


def test_prontoqa_repeats_of_the_prompt_are_no_answer():
    task = ProntoQA(FILES / "prontoqa.json")
    for problem in task.problems(2, seed=0):
        assert task.canonical_answer(problem.text) == ""
        answered = f"{problem.text}\nThe answer is {problem.answer}."
        assert task.canonical_answer(answered) == problem.answer


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("true" + " " * 90_000 + "or", "True"),
        ("not " * 24_000 + "so true", "True"),
        ("'" * 90_000 + "true", "True"),
        ("'a" * 45_000 + " true", "True"),
        ("true that " * 9_000 + "it is false", "False"),
    ],
    ids=["white space", "denials", "quotes", "apostrophes", "verdicts"],
)
def test_prontoqa_takes_no_time(completion, answer):
    begin = time.process_time()
    assert ProntoQA(FILES / "prontoqa.json").canonical_answer(completion) == answer
    assert time.process_time() - begin < 1


def test_prontoqa_examples_show_the_chain_of_thought():
    (problem,) = ProntoQA(FILES / "prontoqa.json", num_examples=1).problems(1, seed=0)
    assert problem.messages[1].content == (
        "Sam is a wimbus. Each wimbus is a grompus. Sam is a grompus. Grompuses are not loud. "
        "Sam is not loud.\nThe answer is False."
    )


def test_any_prompts_and_answers(tmp_path):
    path = lines(
        tmp_path / "own.jsonl",
        {"q": "Capital of France?", "a": "Paris"},
        {"q": "How many days has a year?", "a": "365"},
    )
    task = PromptAnswers(path, prompt_field="q", answer_field="a")
    by_answer = {problem.answer: problem for problem in task.problems(2, seed=0)}
    assert by_answer["Paris"].prompt == "Capital of France?"
    assert task.grade(by_answer["Paris"], "It is known.\nThe answer is  PARIS.")
    assert not task.grade(by_answer["Paris"], "Paris, France")
    assert task.grade(by_answer["365"], "<answer>365.0</answer>")
    assert not task.grade(by_answer["365"], "<answer>365 days</answer>")
    assert PromptAnswers(path, prompt_field="q", answer_field="a", num_examples=1).problems(
        1, seed=0
    )


@pytest.mark.parametrize(
    ("answer", "completion", "right"),
    [
        ("Paris", "\\boxed{\\text{Paris}}", True),
        ("New York", "\\boxed{\\text{New } \\text{York}}", True),
        ("No", "\\boxed{\\text{No}}", True),
        ("\\boxed{\\text{Paris}}", "The answer is Paris.", True),
        ("Paris", "**Answer**: Paris", True),
        ("Paris", 'The answer is "Paris"', True),
        ("Paris", 'The answer is "Paris."', True),
        ("Paris", "The answer is \u201cParis\u201d.", True),
        ("Paris", "The answer is `Paris`", True),
        ("Paris", "Paris!", True),
        ("Paris", "It is\n**Paris**!", True),
        ("5", "The answer is \\(5\\).", True),
        ("\\(5\\)", "The answer is 5.", True),
        ("Paris", 'The answer is "Paris!"', True),
        ("caf\u00e9", "The answer is CAFE\u0301.", True),
        ("cafe\u0301", "caf\u00e9", True),
        ("caf\u00e9", "cafe", False),
        ('"Paris"', "The answer is Paris.", True),
        ("Paris", "\\boxed{\\text{Lyon}}", False),
        ("Paris", "The answer is 'Lyon'", False),
        ("Paris", "Paris, France!", False),
        ("5", "The answer is 5!", False),
        ("n", "The answer is n!", False),
        ("5!", "The answer is 5", False),
        ("(n+1)!", "The answer is (n+1)", False),
        ('"a" or "b"', 'The answer is a" or "b', False),
        ("sort", "<answer>sort!</answer>", False),
        ("4", "<answer>'4'</answer>", False),
        ('"', '<answer>""</answer>', False),
    ],
)
def test_what_a_sentence_puts_around_an_answer_is_no_part_of_it(
    tmp_path, answer, completion, right
):
    task = PromptAnswers(lines(tmp_path / "own.jsonl", {"prompt": "?", "answer": answer}))
    (problem,) = task.problems(1, seed=0)
    assert task.grade(problem, completion) == right


BAD = [
    ("{", r"bad.jsonl:1: not valid JSON"),
    ("[1]", r"bad.jsonl:1: must be a JSON object, got \[1\]"),
    ('{"question": "a?"}', r"bad.jsonl:1: has no field 'answer'; it has question"),
    (
        '{"question": 3, "answer": "#### 1"}',
        r"bad.jsonl:1: field 'question': must be a text, got 3",
    ),
    ('{"question": " ", "answer": "#### 1"}', r"bad.jsonl:1: field 'question': must be a text"),
    ('{"question": "a?", "answer": "1"}', r"field 'answer': must end with '#### ' and a number"),
    ('{"question": "a?", "answer": "#### x"}', r"must end with '#### ' and a number"),
    ("[" * 100_000, r"bad.jsonl:1: JSON nested too deeply"),
    (
        '{"question": "a?", "answer": "#### 1", "answer": "#### 2"}',
        r"bad.jsonl:1: not valid JSON: key 'answer' is given twice",
    ),
    ("\0", r"bad.jsonl:1: a binary file, not text"),
    ("", r"bad.jsonl: the file is empty"),
    (b"\xff\xfe", r"bad.jsonl:1: not a text file in UTF-8 \(byte 0\)"),
    (
        json.dumps({"question": "x" * (MAX_FIELD_CHARACTERS + 1), "answer": "#### 1"}),
        r"field 'question': 100001 characters; at most 100000 are read",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=range(len(BAD)))
def test_bad_files_are_one_line_with_file_line_and_field(tmp_path, content, message):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message) as caught:
        Gsm8k(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}, {"a": 2}]', r"all.jsonl:1: must be a JSON object, got .*"),
        ('\n [\n{"a": 1},\n{"a": 2}]', "all.jsonl:2: not valid JSON.*"),
    ],
)
def test_an_array_in_a_file_of_lines_is_refused_with_advice(tmp_path, text, message):
    (tmp_path / "all.jsonl").write_text(text)
    with pytest.raises(InputError, match=message + r": a JSON array needs a file named \*\.json$"):
        read_records(tmp_path / "all.jsonl")


def test_the_line_of_a_mistake_is_named(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"question": "a?", "answer": "#### 1"}\n\n{"question": "b?"}\n')
    with pytest.raises(InputError, match=r"bad.jsonl:3: has no field 'answer'"):
        Gsm8k(path)


def test_no_number_in_a_field_that_is_not_read_is_let_pass(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"question": "a?", "answer": "#### 1", "score": NaN}')
    assert len(Gsm8k(path).problems(1, seed=0)) == 1


def test_files_that_are_not_there_or_too_large(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"nowhere.jsonl: no such file"):
        Gsm8k(tmp_path / "nowhere.jsonl")
    with pytest.raises(InputError, match=r"the folder has no .json files"):
        Gsm8k(tmp_path)
    monkeypatch.setattr("jaxgap.tasks.records.MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"gsm8k.jsonl: \d+ bytes; at most 10 are read"):
        Gsm8k(FILES / "gsm8k.jsonl")


def test_json_arrays_objects_and_folders_are_read(tmp_path):
    array, mapping = tmp_path / "array.json", tmp_path / "mapping.json"
    array.write_text('[{"a": 1}, {"a": 2}]')
    mapping.write_text('{"x": {"a": 1}, "y": {"a": 2}}')
    assert [record.fields for record in read_records(array)] == [{"a": 1}, {"a": 2}]
    assert [record.where for record in read_records(mapping)] == [f"{mapping}: x", f"{mapping}: y"]
    folder = tmp_path / "train" / "algebra"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text('{"a": 3}')
    assert [record.fields for record in read_records(tmp_path / "train")] == [{"a": 3}]
    array.write_text("[1]")
    with pytest.raises(InputError, match=r"array.json: item 0: must be a JSON object, got 1"):
        read_records(array)
    array.write_text('"x"')
    with pytest.raises(InputError, match="must be a JSON array or object of objects, got 'x'"):
        read_records(array)


@pytest.mark.parametrize(("end", "before"), [("\n", ""), ("\r\n", ""), ("\n", "\ufeff\n\n")])
def test_json_lines_are_read_whatever_the_file_is_called(tmp_path, end, before):
    """As `Dataset.to_json("train.json")` of the datasets library writes them."""
    records = [{"a": 1}, {"a": "{"}, {"b": {"c": 2}}]
    text = before + end.join(json.dumps(record) for record in records) + end
    for name in ("train.json", "train.jsonl"):
        path = tmp_path / name
        path.write_bytes(text.encode())
        assert [record.fields for record in read_records(path)] == records
    path.write_text('{"a": 1}\n\n{"a": 2')
    path = path.rename(tmp_path / "broken.json")
    with pytest.raises(InputError, match=r"broken.json:3: not valid JSON") as caught:
        read_records(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":\n{"b": 1}', r"whole.json: not valid JSON: .* line 2"),
        ('[{"a": 1},\n{"a": 2}', r"whole.json: not valid JSON: .* line 2"),
        ('{"a": 1}', r"whole.json: a: must be a JSON object, got 1: put a single record between"),
        ('{"a":' * 100_000 + "\n1", r"whole.json: (JSON nested too deeply|not valid JSON)"),
    ],
)
def test_a_broken_json_file_is_not_taken_for_lines(tmp_path, text, message):
    (tmp_path / "whole.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_records(tmp_path / "whole.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "def f(:"}, "field 'code': is not Python"),
        ({"test_setup_code": "x ="}, "field 'test_setup_code': is not Python"),
        ({"test_setup_code": 3}, "field 'test_setup_code': must be a text, got 3"),
        ({"test_list": "assert 1"}, "field 'test_list': must be a list of texts"),
        ({"test_list": ["assert"]}, "field 'test_list': is not Python"),
        ({"text": None}, "field 'text': must be a text, got None"),
    ],
)
def test_bad_programming_problems(tmp_path, change, message):
    good = json.loads((FILES / "mbpp.jsonl").read_text().splitlines()[0])
    path = lines(tmp_path / "bad.jsonl", good | change)
    with pytest.raises(InputError, match=re.escape(f"{path}:1: ") + message):
        Mbpp(path)


def test_programming_problems_that_cannot_be_judged_are_left_out(sandbox, tmp_path, caplog):
    good = json.loads((FILES / "mbpp.jsonl").read_text().splitlines()[0])
    inside = good | {"text": "b", "test_list": ["assert all([f(x) for x in (1, 2)])"]}
    none = good | {"text": "c", "test_list": [], "challenge_test_list": []}
    path = lines(tmp_path / "some.jsonl", good, inside, none)
    task = Mbpp(path)
    assert "some.jsonl:2: test 1: asks the program from within a comprehension" in caplog.text
    assert "some.jsonl:3: there are no tests" in caplog.text
    with pytest.raises(InputError, match=r"some.jsonl: has 1 distinct problems, 2 are asked for"):
        task.problems(2, seed=0)
    with pytest.raises(InputError, match=r"none.jsonl: has no usable record"):
        Mbpp(lines(tmp_path / "none.jsonl", none))


def test_programs_that_fail_their_own_tests_are_left_out(sandbox, tmp_path, caplog):
    test = {"test_list": ["assert f(1) == 2"]}
    good = {"text": "a", "code": "def f(x): return 2 * x"} | test
    wrong = {"text": "b", "code": "def f(x): return 3 * x"} | test
    endless = {"text": "c", "code": "def f(x):\n    while True: pass"} | test
    limits = Limits(wall_seconds=1, cpu_seconds=1, memory_mebibytes=128)
    task = Mbpp(lines(tmp_path / "some.jsonl", wrong, good, endless), limits=limits, num_examples=1)
    assert "left out: " in caplog.text
    assert "some.jsonl:1: its own program fails the tests: raised AssertionError" in caplog.text
    # Whether a limit is reached may depend on the machine, and the problems drawn must not.
    (problem,) = task.problems(1, seed=0)
    assert (problem.messages[0].content[0], problem.messages[2].content[0]) == ("a", "c")
    with pytest.raises(InputError, match=r"none.jsonl: has no usable record"):
        Mbpp(lines(tmp_path / "none.jsonl", wrong), limits=limits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "Yes"}, "field 'answer': must be True or False, got 'Yes'"),
        ({"context": "x", "options": ["A) Yes"]}, r"field 'options': must be 'A\) True'"),
        ({"test_example": 3}, "field 'test_example': must be an object, got 3"),
    ],
)
def test_bad_true_or_false_questions(tmp_path, change, message):
    good = json.loads((FILES / "prontoqa.jsonl").read_text().splitlines()[0])
    with pytest.raises(InputError, match=message):
        ProntoQA(lines(tmp_path / "bad.jsonl", good | change))


@pytest.mark.parametrize(
    ("answer", "right", "wrong"),
    [
        ("1 2\n3 4", "<answer>1 2\n3 4</answer>", "3 4"),
        ("U.S.", "<answer>U.S.</answer>", "<answer>U.K.</answer>"),
        ("U.S.", "The answer is U.S.", "U"),
        ("*", "<answer>*</answer>", ""),
        ("6 * 7 = 42\n#### 42", "The answer is 42.", "6 * 7 = 42 #### 41"),
        (4, "The answer is 4.", "5"),
        (0.5, "1/2", "5"),
        (10**350, f"The answer is {10**350}.", "5"),
    ],
)
def test_a_reference_is_taken_whole_unless_it_marks_its_answer(tmp_path, answer, right, wrong):
    task = PromptAnswers(lines(tmp_path / "own.jsonl", {"prompt": "?", "answer": answer}))
    (problem,) = task.problems(1, seed=0)
    assert task.grade(problem, right)
    assert not task.grade(problem, wrong)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"prompt": "?", "answer": "so\n####"}, r"own.jsonl:1: field 'answer': holds no answer"),
        ({"prompt": "?", "answer": True}, "'answer': must be a text or a finite number, got True"),
        ({"prompt": "?", "answer": float("nan")}, "must be a text or a finite number, got nan"),
        ({"prompt": "?", "answer": None}, "must be a text or a finite number, got None"),
        ({"prompt": "?", "answer": " "}, "field 'answer': must be a text, got ' '"),
        ({"prompt": "\ud800", "answer": "a"}, "field 'prompt': holds half of a pair of surrogates"),
    ],
)
def test_answers_and_texts_that_are_none_are_refused(tmp_path, record, message):
    with pytest.raises(InputError, match=message):
        PromptAnswers(lines(tmp_path / "own.jsonl", record))


def test_no_problem_is_one_of_the_examples(tmp_path):
    shown, other = {"prompt": "1 + 1?", "answer": "2"}, {"prompt": "2 + 2?", "answer": "4"}
    path = lines(tmp_path / "own.jsonl", shown, {"prompt": "1 +  1?", "answer": "2"}, other)
    held_out = lines(tmp_path / "held_out.jsonl", shown, {"prompt": "3 + 3?", "answer": "6"})
    split = PromptAnswers(path, held_out, num_examples=1).split(1, 1, seed=0)
    assert split.train[0].messages[-1].content == "2 + 2?"
    assert split.held_out[0].messages[-1].content == "3 + 3?"
    with pytest.raises(InputError, match="has 1 distinct problems, 2 are asked for"):
        PromptAnswers(path, num_examples=1).problems(2, seed=0)
