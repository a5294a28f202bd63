"""Where final answers are found, whatever stands around them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.tasks.answers import MAX_CHARACTERS, boxed, final_answer, marked_answer
from jaxgap.tasks.numbers import canonical_number, canonical_text, stated_number

PLAIN = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("<answer>4</answer>", "4"),
        ("<answer>3</answer> no, <answer> 4 </answer> so \\boxed{5}", "4"),
        ("<answer>a\nb</answer>", "a\nb"),
        ("<answer> It ends here. </answer>", "It ends here."),
        ("<answer>**</answer>", "**"),
        ("<answer>42</answer>\n<answer>", "42"),
        ("<answer>42</answer>\n<answer>43", "42"),
        ("<answer>42</answer>, in <answer> </answer> as asked", "42"),
        ("<answer>42</answer></answer>", "42"),
        ("<answer>42</answer> is between <answer> and </answer>.", "42"),
        ("I write it between `<answer>` and `</answer>`.\n42", "42"),
        ("<answer>and</answer>", "and"),
        ("<answer>\nand\n</answer>", "and"),
        ("<answer></answer>\n42", ""),
        ("<answer>\\boxed{42}</answer>", "42"),
        ("<answer>\n$\\boxed{\\frac{1}{2}}$.\n</answer>", "\\frac{1}{2}"),
        ("<answer>\\boxed 2</answer>", "2"),
        ("<answer>\\boxed{\\boxed{42}}</answer>", "42"),
        ("<answer>7</answer> or <answer>\\boxed{}</answer>", "7"),
        ("<answer>x = \\boxed{42}</answer>", "x = \\boxed{42}"),
        ("<answer>\\boxed{4} or \\boxed{2}</answer>", "\\boxed{4} or \\boxed{2}"),
        ("the grid is\n<answer>\n1 2\n3 4\n</answer>", "1 2\n3 4"),
        ("<answer>never closed \\boxed{6}", "6"),
        ("so \\boxed{\\frac{1}{\\sqrt{2}}} holds", "\\frac{1}{\\sqrt{2}}"),
        ("\\boxed{1} then \\fbox{2}", "2"),
        ("Thus $x = \\boxed 2$.", "2"),
        ("so \\boxed 9. Done", "9"),
        ("Thus \\(x = \\boxed 2\\).", "2"),
        ("\\boxed {5}", "5"),
        ("\\boxedness 4", "\\boxedness 4"),
        ("\\boxed{never closed\nThe answer is 7", "7"),
        ("\\boxed{42}. I have put it in \\boxed.", "42"),
        ("\\boxed{42}\n(given in \\boxed form)", "42"),
        ("\\boxed{42}, in \\boxed{} as asked", "42"),
        ("\\boxed 2 as \\boxed asks", "2"),
        ("\\boxed x", "x"),
        ("\\boxed\\pi", "\\pi"),
        ("It goes in \\boxed form.\nThe answer is 7", "7"),
        ("\\boxed{7}, or as a box \\boxed{7", "7"),
        ("4 * 2 = 8\n#### 1,008", "1,008"),
        ("#### Step 2: money\n9*2 = 18, plus 24 is 42\n\nThe answer is 42.", "42"),
        ("The answer is 4 * 2.\n#### 8", "8"),
        ("#### Final Answer\n42", "42"),
        ("#### Final Answer\r\n42\r\n", "42"),
        ("#### **The answer**\n\n\\[\n42\n\\]", "42"),
        ("#### Answer: 42", "42"),
        ("#### a #### b", "b"),
        ("####\n42", "42"),
        ("The answer is 42.", "42"),
        ("The answer is 42.\nThe answer is", "42"),
        ("The answer is 42.\n**Answer:**", "42"),
        ("42\nThe answer is", "The answer is"),
        ("**Answer**: Paris", "Paris"),
        ("**Final Answer:**\n42", "42"),
        ("**The answer is**: 42", "42"),
        ("The answer is **42**.", "42"),
        ("The answer is \\(42\\).", "42"),
        ("The answer is: **\\[ x^2 \\]**.", "x^2"),
        ("The answer is \\(a\\) or \\(b\\)", "\\(a\\) or \\(b\\)"),
        ("The final answer is:\n\\[\n42\n\\]", "42"),
        ("The answer is:\n$$\n42\n$$.", "42"),
        ("The answer is:\n\\[ 42", "\\[ 42"),
        ("so\n\\[\n6 \\times 7 = 42\n\\]", "6 \\times 7 = 42"),
        ("so\n```\n42\n```\n", "42"),
        ("$$", ""),
        ("the ANSWER is: $42$.", "42"),
        ("Answer: **True**", "True"),
        ("The answer is 1. No, the answer is 2.\nDone.", "2"),
        ("The answer is Paris.\n\nI hope this answer is helpful!", "Paris"),
        ("The answer is 18. I hope this answer is helpful!", "18"),
        ("#### Paris\nI hope this answer is helpful!", "Paris"),
        ("The answer is 18.\nNote: the answer is rounded to the nearest dollar.", "18"),
        ("The answer is 18.5. The answer is in dollars.", "18.5"),
        ("The answer is 18 (the answer is in square units).", "18"),
        ("So the answer is:\n18\n\nThe answer is verified.", "18"),
        ("Answer: 18\nCheck: this answer is reasonable since 9*2 = 18.", "18"),
        ("Let me know if the answer is correct.", "correct"),
        ("Answer: wrong or correct?\nAnswer: correct", "correct"),
        ("The answer is in the kitchen", "in the kitchen"),
        ("first\n\nsecond line.\n\n", "second line"),
        ("", ""),
        ("   \n ", ""),
        ("$", "$"),
    ],
)
def test_where_the_final_answer_is(completion, answer):
    assert final_answer(completion) == answer


@given(st.text(max_size=60), PLAIN)
def test_a_marked_answer_is_found_after_anything(before, answer):
    assert final_answer(f"{before}\n<answer>{answer}</answer>") == answer
    before = before.replace("<", "").replace("{", "")
    assert final_answer(f"{before}\\boxed{{{answer}}}") == answer
    assert boxed(f"{before}\\boxed{{{answer}}}") == answer


STATED = ["<answer>{}</answer>", "\\boxed{{{}}}", "#### {}", "The answer is {}.", "{}"]
DRAFTS = [*STATED[:4], "<answer>", "####", "The answer is", "\\boxed{{", "<think>{}</think>"]


@given(st.sampled_from(DRAFTS), st.sampled_from(STATED), PLAIN, PLAIN)
def test_a_draft_in_a_thought_is_no_answer(draft, stated, first, second):
    thought = f"<think>{draft.format(first)}\n</think>"
    assert final_answer(f"{thought}\n\n{stated.format(second)}") == second
    # Who thinks and says nothing may have answered there.
    assert final_answer(f"{thought}\n") == final_answer(thought)


@given(st.sampled_from(["this answer is helpful", "the answer is correct", "that answer is mine"]))
def test_what_speaks_of_an_answer_is_no_other(remark):
    for stated in ("#### 42", "The answer is 42.", "Answer:\n42\n"):
        assert final_answer(f"{stated}\nI hope {remark}!") == "42"
    assert final_answer(f"I hope {remark}!") == remark.split(" is ")[1] + "!"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 42.\nI hope the answer is of use.", "42"),
        ("The answer is 42. Now the answer is of use.", "42"),
        ("The answer is 42.\nNo, the answer is 43, and the answer is final", "43, and the"),
        ("The answer is none.\nThe answer is nothing", "nothing"),
        ("#### 42\n#### Hence", "42"),
        ("#### 42\nI hope this answer is good.", "42"),
        ("#### 42\nNo, the answer is 43.", "43"),
        ("#### Step one\nThe answer is none", "none"),
        ("#### Step one\n42", None),
    ],
)
def test_lines_that_cannot_be_answers_are_headings(text, number):
    assert marked_answer(text, canonical_number) == number


def test_a_box_that_is_only_spoken_of_hides_none():
    assert boxed(r"$\boxed{3}$ and \boxed") == "3"
    assert boxed(r"in \boxed form, in \(\boxed\), in \boxed{}") is None


@given(st.text())
def test_every_text_has_a_final_answer_in_it(completion):
    assert final_answer(completion) in completion


HOSTILE = {
    "megabytes": "x" * 5_000_000,
    "digits": "9" * 5_000_000,
    "groups of digits": "1" + ",111" * 500_000,
    "commas": "1," * 1_000_000,
    "boxes": "\\boxed{" * 500_000,
    "fractions": "\\frac{1" * 500_000,
    "boxes in boxes": "{\\boxed{" * 10_000 + "}" * 20_000,
    "boxes without braces": "\\boxed " * 500_000,
    "brackets": "(" * 3_000_000,
    "answers": "answer is" * 400_000,
    "answer and spaces": "answer" + " " * 3_000_000,
    "tags": "<answer>" * 400_000,
    "tags that are closed": "<answer></answer>" * 200_000,
    "hashes": "####" * 800_000,
    "lines of hashes": "####\n" * 600_000,
    "words between hashes": "#### an " * 400_000,
    "display mathematics": "answer:" + "\\[\n" * 1_000_000,
    "lines": "\n" * 3_000_000,
    "signs": "-$-" * 1_000_000,
    "stars": "*" * 3_000_000,
    "points": "." * 3_000_000,
    "nulls": "\0" * 3_000_000,
    "surrogates": "\ud800" * 1_000_000,
    "a power": "9**9**9**9",
    "alternatives": "1 or " * 500_000,
    "explanations": ",=since;" * 300_000,
    "formulas": "\\(" * 2_000_000,
    "boxes in formulas": "\\(\\boxed 2\\)" * 200_000,
    "signs apart": "is - " * 700_000 + "1",
    "denials": "not 1 , " * 300_000 + "but 2",
    "denials of words": "not " * 700_000 + "1",
    "brackets that are multiplied": "x (" * 700_000,
    "thousands": "1 thousand " * 200_000,
    "mixed": "1\\frac" * 400_000,
    "mixed fractions": "1\\frac{1}{2}" * 200_000,
    "digits before a fraction": "1" * 90_000 + "\\frac{1}{2}",
    "vulgar": " ½" * 1_000_000,
    "ratios": "1:1" * 800_000,
    "measures": "1 hour " * 400_000,
    "thousands apart": "1 111" + ", 111" * 500_000,
    "thousands in formulas": "1" + "\\ 111" * 400_000,
    "units": "1 " + "a " * 700_000,
    "answers that are none": "The answer is no. " * 170_000,
    "answers in brackets": "(answer is " * 200_000,
    "answers spoken of": "this answer is correct " * 130_000,
    "thoughts": "<think></think>" * 200_000,
    "tags spoken of": "<answer> and </answer>" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_completions_take_no_time(name):
    begin = time.process_time()
    answer = final_answer(HOSTILE[name])
    marked_answer(HOSTILE[name], canonical_number)
    canonical_number(answer)
    stated_number(answer)
    canonical_text(answer)
    assert time.process_time() - begin < 1
    assert len(answer) <= MAX_CHARACTERS
