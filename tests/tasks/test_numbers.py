"""Numbers in answers: which one is meant, and when two are equal."""

import time
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.tasks.numbers import canonical_number, canonical_text, stated_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", "18"),
        ("5 hundred", "500"),
        ("5 thousand", "5000"),
        ("5 million", "5000000"),
        ("5 billion", "5000000000"),
        ("5 trillion", "5000000000000"),
        ("$2 Trillions", "2000000000000"),
        ("60/2.5", "24"),
        ("1/0.0", None),
        ("12,345.67", "1234567/100"),
        ("$1,234,567.50", "2469135/2"),
        ("1,2", "2"),
        ("12,345", "12345"),
        ("1234,567", "567"),
        ("-5", "-5"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("\u20105", "-5"),
        ("\u20115", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("+5", "5"),
        ("10-5", "5"),
        ("10 - 5", "5"),
        ("x = -5", "-5"),
        ("-0", "0"),
        ("−0.00", "0"),
        ("007", "7"),
        (".5", "1/2"),
        ("5.", "5"),
        ("18.00 dollars", "18"),
        ("3/4", "3/4"),
        ("-6/8 cup", "-3/4"),
        ("\\frac{3}{4}", "3/4"),
        ("-\\dfrac{6}{8}", "-3/4"),
        ("\\(-5\\) or \\[ 6 \\]", "6"),
        ("\\tfrac{6}{3}", "2"),
        ("50%", "50"),
        ("\\$20", "20"),
        ("€20", "20"),
        ("20 km/h", "20"),
        ("1,\\!080", "1080"),
        ("1\\,080", "1080"),
        ("1{,}080", "1080"),
        ("1\u202f080", "1080"),
        ("\\frac{-3}{4}", "-3/4"),
        ("1e3", "1000"),
        ("2.5E-1", "1/4"),
        ("1e99999", "99999"),
        ("2 1/2 cups", "5/2"),
        ("-2 1/2", "-5/2"),
        ("Rs.25", "25"),
        ("$.25 or -.25", "-1/4"),
        ("$5M", "5000000"),
        ("$-2.5m", "-2500000"),
        ("-\\$1,500B", "-1500000000000"),
        ("5 m", "5"),
        ("5M", "5"),
        ("$5m$ long", "5"),
        ("$5 miles", "5"),
        ("5 m\u0131llion", "5"),
        ("The answer is 5 thou\u017fand.", "5"),
        ("1/0", None),
        ("\\frac{1}{0}", None),
        ("none", None),
        ("", None),
        ("9" * 500, None),
        ("²", None),
    ],
)
def test_numbers_as_they_are_written(text, number):
    assert canonical_number(text) == number


@pytest.mark.parametrize(
    ("marked", "number"),
    [
        ("$1,080 for 12 months", "1080"),
        ("1080 (= 90 x 12)", "1080"),
        ("90 x 12 = 1080 dollars", "1080"),
        ("18 because 5 + 13", "18"),
        ("x = -5", "-5"),
        ("(7)", "7"),
        ("1350 or 1351", None),
        ("$1350 or maybe $1351", None),
        ("5 or so", "5"),
        ("1/2 or 0.5", "1/2"),
        ("18 or $18.00", "18"),
        ("18 or -18", None),
        ("3 dollars or 4 dollars", None),
        ("5 apples or maybe 6 apples", None),
        ("5km or 6 km.", None),
        ("1 hour or 2 hours", None),
        ("60 minutes or 30 minutes each way", "60"),
        ("75% or 25% less", "75"),
        ("3 dollars or 3.00 dollars", "3"),
        ("2 dollars or 200 cents", "2"),
        ("-(5)", None),
        ("$-(\\frac{1}{2})$", None),
        ("-\\left(5\\right)", None),
        ("Answer - (18)", "18"),
        ("3 3/4.5", None),
        ("60/2.5", "24"),
        ("1.234.567", None),
        ("12 345.67", None),
        ("18\u201120", None),
        ("3 trillion", "3000000000000"),
        ("2 thousand 5 hundred", None),
        ("1 million 500 thousand", None),
        ("2 thousand 50", None),
        ("Day 18 100K", "18"),
        ("1/2, or 0.5 or 3", "1/2"),
        ("1/2 or 0.5 or 3", None),
        ("$20 since 5*4 = 20 dollars and change = 30 - 20", "20"),
        ("$1,020, because 30 - 20 = 10", "1020"),
        ("20; 5*4 = 20 and 30 - 20 = 10", "20"),
        ("(18 = 9 x 2).", "18"),
        ("(9 x 2 = 18).", "18"),
        ("because 5*4 = 20", "20"),
        ("each week, 5*4 = 20", "20"),
        ("5 = 2 + 3", "5"),
        ("**$1,005** = 1000 + 2 + 3", "1005"),
        ("2 + 3 = 4 + 1 = 5", "5"),
        ("\\(18\\) dollars for 5 days", "18"),
        ("\\(9 \\times 2 = 18\\)", "18"),
        ("\\(18\\) (\\(= 9 \\times 2\\))", "18"),
        ("\\(3\\) or \\(4\\)", None),
        ("(9 \\times 2 = 18)", "18"),
        ("60/3 = 25", "25"),
        ("100/3 = 33 of them", "33"),
        ("\\frac{60}{3} = 25", "25"),
        ("3/4 of a cup", "3/4"),
        ("many", None),
        ("- 3", "-3"),
        ("$- 3$", "-3"),
        ("\\(- 3\\)", "-3"),
        ("negative 3", "-3"),
        ("minus $3", "-3"),
        ("5 - 8 = - 3", "-3"),
        ("not 18 but 17.", "17"),
        ("not 18, it is 17", "17"),
        ("not 18 dollars; it's 17", "17"),
        ("n't $18 but $17", "17"),
        ("17, not 18", "17"),
        ("17 rather than 18", "17"),
        ("not surprising: 18", "18"),
        ("18.", "18"),
        ("18 apples!", "18"),
        ("18!", "18"),
        ("18-year-old", "18"),
        ("$18 - the total cost", "18"),
        ("18 (3 x 6)", "18"),
        ("= 18 apples", "18"),
        ("3 x 6 = 18", "18"),
        ("3 x 6 => 18", "18"),
        ("3 x (5 + 1) = 18", "18"),
        ("18%", "18"),
        ("18^\\circ", "18"),
        ("18 cm^2", "18"),
        ("18 or eighteen", "18"),
        ("18 for 3 kites", "18"),
        ("18 miles / hour", "18"),
        ("18 for Max 5", "18"),
        ("\\textbf{18}", "18"),
        ("<b>18</b>", "18"),
        ("at least 18", "18"),
        ("no less than 18", "18"),
        ("$1 million", "1000000"),
        ("1.5 million dollars", "1500000"),
        ("5k", "5000"),
        ("2,500 thousand", "2500000"),
        ("5 km", "5"),
        ("5 hundred-dollar bills", "5"),
        ("2\\frac{1}{2}", "5/2"),
        ("$-1 \\dfrac{3}{4}$ cups", "-7/4"),
        ("2½ hours", "5/2"),
        ("-2 ½", "-5/2"),
        ("⅔", "2/3"),
        ("70\\ 000", "70000"),
        ("$70\\,000$", "70000"),
        ("300, 100 from each", "300"),
        ("18, 200 less than before", "18"),
        ("18 200 less than before", "18"),
        ("5 years 2024", "5"),
        ("8:00 PM", "8"),
        ("18, 5 of them red", "18"),
        ("18 100-gram bags", "18"),
        ("18 hours", "18"),
        ("2 + 3=5,5*4=20", "20"),
        ("Rs.25 for each", "25"),
        ("$5M", "5000000"),
        ("US$1.5m, of which $0.5M is profit", "1500000"),
        ("£5k", "5000"),
        ("$2M + $3M = $5M", "5000000"),
        ("$5 = 2m + 3m$", "5"),
        ("5m", "5"),
    ],
)
def test_the_number_that_a_marked_answer_states(marked, number):
    assert stated_number(marked) == number


@pytest.mark.parametrize(
    "marked",
    [
        *("not 18", "not 18 or 19 but 17", "not only 18 but also 17", "not 18, since 3 * 6 = 18"),
        *("17 + 1.", "17 dollars + 1 dollar", "20 minus 2", "the total minus 3", "3!/2", "10^3"),
        *("3*6", "3\\*6", "3 x 6", "3x6", "3 \u00d7 6", "$3 \\times 6$", "3 x (5 + 1)", "36 / 2"),
        *("\\sqrt{16}", "\\sqrt[3]{8}", "sqrt(16)", "\u221a16", "10^{3}", "10\u00b3", "\\frac36"),
        *("18-20", "18 - 20", "18\u201320", "18 to 20", "between 17 and 19", "100~200", "18 ~ 20"),
        *("less than 18", "more than $18", "x > 18"),
        *("1, 234 dollars.", "1, 234, since 5 > 4", "70 000 miles; so", "5 years 6 months"),
        *("1,00,000", "1, 234", "12,34", "70 000", "10:30", "3:2", "5'6\"", "5\u2019 6"),
        *(
            "5 feet 6 inches",
            "5 ft 6 in",
            "18 hours 30 minutes",
            "18h 30",
            "18 remainder 2",
            "18R2",
        ),
        *("18\\text{ hours }30\\text{ minutes}", "1\\frac34", "2\\dfrac3{4}", "$18 dollars 50"),
        *("2 hours and 5 minutes", "2 and a half hours", "18 dollars and 50 cents"),
        *("2 1/2 million", "1\\text{ million}"),
        *("1 234 567", "1 234 567 people.", "1, 234 567; so", "1_234", "$1_234_567"),
    ],
)
def test_what_is_only_a_part_or_a_bound_states_no_number(marked):
    assert stated_number(marked) is None


@given(st.integers(1, 999), st.integers(1, 99), st.integers(1, 99), st.sampled_from("dt "))
def test_mixed_fractions_are_read_whole(whole, top, bottom, kind):
    number = str(whole + Fraction(top, bottom))
    for between in ("", " "):
        text = f"{whole}{between}\\{kind.strip()}frac{{{top}}}{{{bottom}}}"
        assert stated_number(text) == canonical_number(text) == number


@given(st.integers(1000, 10**12), st.sampled_from(["\\ ", "\\,", "{,}", "\u202f", ","]))
def test_thousands_are_read_whole(value, between):
    text = f"{value:,}".replace(",", between)
    assert stated_number(text) == canonical_number(text) == str(value)


@given(st.integers(0, 10**9), st.sampled_from(["- ", "minus ", "negative ", "-", "\u2212"]))
def test_a_sign_counts_however_it_is_written(value, sign):
    assert canonical_number(f"{sign}{value}") == stated_number(f"{sign}{value}") == str(-value)
    assert canonical_number(f"20 - {value}") == str(value)


@given(st.integers(-(10**15), 10**15), st.integers(0, 4))
def test_one_number_in_many_hands(value, decimals):
    written = {
        f"{value}",
        f"{value:,}",
        f"{value}".replace("-", "−"),
        f"{value}.{'0' * decimals}",
        f"it is {value:,} apples",
        f"{value * 3}/3",
    }
    assert {canonical_number(text) for text in written} == {str(value)}


@given(st.fractions(max_denominator=10**6))
def test_fractions_are_exact(value):
    sign = "-" if value < 0 else ""
    top, bottom = abs(value.numerator), value.denominator
    assert canonical_number(f"{value}") == str(value)
    assert canonical_number(f"{sign}\\frac{{{7 * top}}}{{{7 * bottom}}}") == str(value)


@given(st.decimals(-(10**9), 10**9, places=3))
def test_decimals_are_exact(value):
    assert canonical_number(f"{value:,}") == str(Fraction(value))


@given(st.text())
def test_canonical_texts_stay_as_they_are(text):
    once = canonical_text(text)
    assert canonical_text(once) == once
    assert canonical_text(f"  {text.upper()}\n") == canonical_text(text.upper())


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("e\u0301\u0345\u1100\u1161\u1f80")))
def test_composed_and_decomposed_characters_are_one_text(text):
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    for keep_case in (True, False):
        assert len({canonical_text(form, keep_case=keep_case) for form in forms | {text}}) == 1


def test_marks_without_end_take_no_time():
    begin = time.process_time()
    canonical_text("a" + "\u0301\u0323" * 50_000)
    assert time.process_time() - begin < 1
