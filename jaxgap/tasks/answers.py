"""The final answer in a completion: where it is looked for, in one order for all tasks.

1. between the last `<answer>` and its `</answer>`;
2. in the last `\\boxed{...}` (or `\\fbox{...}`), its braces balanced, or after a `\\boxed` without
   braces, up to white space or a dollar sign;
3. after the last `####`, to the end of its line;
4. after the last `answer is` or `answer:`, to the end of its line;
5. on the last line that is not empty.

Surrounding white space is taken off, and of what is not marked by 1 or 2 also dollar signs,
asterisks and a final full stop. Only the end of a very long completion is looked at, and nothing
here takes more than linear time, so that no completion can hold up a run.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_CHARACTERS = 100_000
"""How much of a completion's end is looked at."""

MAX_DIGITS = 400
"""Longer numbers are not taken for numbers."""

_SAID = re.compile(r"answer(?:\s{0,3}is:?|:)", re.IGNORECASE)
_BOXES = ("\\boxed", "\\fbox")
_AFTER_BOX = re.compile(r"(?![A-Za-z])\s{0,3}(?P<brace>\{)?")
_UNBRACED = re.compile(r"[^\s$]+")
_MINUS_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-"})
# Thin and unbreakable spaces, as typesetters have them between thousands; LaTeX's, and its comma.
_THOUSANDS = re.compile(r"(?<=\d)(?:[\u2009\u202f\u00a0]|\\[,!]|,\\!|\{,\})(?=\d{3}(?!\d))")
_OR_ANOTHER = re.compile(r"\s{0,3}\$?\s{0,3}or\s[^\d\n]{0,10}\d")
_REMARK = re.compile(r"\([^()]*\)")

# Whole numbers with or without commas, decimals, powers of ten, fractions, also after a whole
# number; a sign may stand before a currency.
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)])[-+])?\\?[$€£]?(?P<inner>(?<=[$€£])-)?"
    rf"(?:\\[dt]?frac\{{(?P<top>-?\d+)\}}\{{(?P<bottom>\d+)\}}"
    rf"|(?P<and>\d{{1,9}}) (?P<part>\d{{1,9}}/\d{{1,9}})(?![\d/])"
    rf"|(?P<whole>{_WHOLE})(?P<decimals>\.\d+)?(?:[eE](?P<power>[-+]?\d{{1,2}})(?!\w)|/(?P<over>\d+))?"
    rf"|(?P<point>\.\d+))"
)


def final_answer(completion: str) -> str:
    """The text that a completion ends up saying is its answer; empty if there is none.

    >>> final_answer("So it is 4.\\n<answer>4</answer>"), final_answer(r"Hence $\\boxed{\\pi/2}$.")
    ('4', '\\\\pi/2')
    >>> final_answer("2 + 2 = 4\\nThe answer is 4."), final_answer("first\\n\\nsecond\\n")
    ('4', 'second')
    """
    marked = marked_answer(completion)
    if marked is not None:
        return marked
    lines = completion[-MAX_CHARACTERS:].rstrip().rsplit("\n", 1)
    return bare(lines[-1])


def marked_answer(text: str) -> str | None:
    """What a text marks as its answer, by rules 1 to 4; None where it marks nothing.

    >>> marked_answer("6 * 7\\n#### 42"), marked_answer("42")
    ('42', None)
    """
    end = text[-MAX_CHARACTERS:]
    for find in (_tagged, _boxed):
        found = find(end)
        if found is not None:
            return found.strip()
    for find in (_after_hashes, _said):
        found = find(end)
        if found is not None:
            return bare(found)
    return None


def boxed(text: str) -> str | None:
    """What the last `\\boxed{...}` or `\\fbox{...}` of a text holds; None without one.

    >>> boxed(r"\\boxed{1} or \\boxed{\\sqrt{2}}")
    '\\\\sqrt{2}'
    """
    found = _boxed(text)
    return None if found is None else found.strip()


def canonical_number(text: str) -> str | None:
    """The last number in a text as a whole number or reduced fraction; None without one.

    Commas between thousands, currency signs and units do not matter; a percentage counts by its
    number. Zero has no sign.

    >>> texts = "$1,234.50", "-0", "3/6 cups", r"\\frac{3}{4}", "−7 °C", "2 1/2", "1e3", "no"
    >>> [canonical_number(text) for text in texts]
    ['2469/2', '0', '1/2', '3/4', '-7', '5/2', '1000', None]
    """
    return _canonical(_last_match(_NUMBER, _plain(text)))


def stated_number(text: str) -> str | None:
    """The number that a marked answer states, as :func:`canonical_number` writes it.

    It is the first after the last equals sign; what stands in brackets counts where there is no
    other. Who says that it is one number or another has stated none.

    >>> texts = "$1,080 for 12 months", "1080 (= 90 x 12)", "90 x 12 = 1080", "(5)", "3 or 4"
    >>> [stated_number(text) for text in texts]
    ['1080', '1080', '1080', '5', None]
    """
    text = _plain(text)
    alone = _REMARK.sub(" ", text)
    for part in (alone.rpartition("=")[2], alone, text):
        match = _NUMBER.search(part)
        if match is not None:
            return None if _OR_ANOTHER.match(part, match.end()) else _canonical(match)
    return None


def canonical_text(text: str) -> str:
    """A number as :func:`canonical_number` writes it if the text is nothing else; or the text,
    without regard to case and white space.

    >>> canonical_text("1,000"), canonical_text(" New  York"), canonical_text("3 apples")
    ('1000', 'new york', '3 apples')
    """
    plain = " ".join(text.casefold().split()).translate(_MINUS_SIGNS)
    match = _NUMBER.fullmatch(plain) if len(plain) <= MAX_DIGITS else None
    number = canonical_number(plain) if match else None
    return plain if number is None else number


def _plain(text: str) -> str:
    """The end of a text with one sign for minus, and commas between thousands."""
    return _THOUSANDS.sub(",", text[-MAX_CHARACTERS:].translate(_MINUS_SIGNS))


def _canonical(match: re.Match[str] | None) -> str | None:
    if match is None or len(match.group()) > MAX_DIGITS:
        return None
    found = match.groupdict()
    try:
        value = _magnitude(found)
    except ZeroDivisionError:
        return None
    negative = found["sign"] == "-" or found["inner"] == "-"
    return str(-value if negative else value)


def _magnitude(found: dict[str, str | None]) -> Fraction:
    if found["top"] and found["bottom"]:
        return Fraction(int(found["top"]), int(found["bottom"]))
    if found["and"] and found["part"]:
        return int(found["and"]) + Fraction(found["part"])
    whole = (found["whole"] or "0").replace(",", "")
    decimals = found["decimals"] or found["point"] or ""
    return (
        Fraction(whole + decimals)
        * Fraction(10) ** int(found["power"] or "0")
        / int(found["over"] or "1")
    )


def _tagged(text: str) -> str | None:
    start = text.rfind("<answer>")
    end = text.find("</answer>", start)
    return text[start + len("<answer>") : end] if 0 <= start < end else None


def _boxed(text: str) -> str | None:
    start, command = max((text.rfind(box), box) for box in _BOXES)
    after = _AFTER_BOX.match(text, start + len(command)) if start >= 0 else None
    if after is None:
        return None
    if not after["brace"]:
        token = _UNBRACED.match(text, after.end())
        return bare(token.group()) if token else None
    depth = 1
    for index in range(after.end(), len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return text[after.end() : index]
    return None


def _after_hashes(text: str) -> str | None:
    start = text.rfind("####")
    return None if start < 0 else _first_line(text[start + 4 :])


def _said(text: str) -> str | None:
    last = _last_match(_SAID, text)
    return None if last is None else _first_line(text[last.end() :]) or None


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for match in pattern.finditer(text):
        last = match
    return last


def _first_line(text: str) -> str:
    return text.strip().split("\n", 1)[0]


def bare(text: str) -> str:
    """Without decoration that is no part of an answer.

    >>> bare("**$4$**.")
    '4'
    """
    text = text.strip().removesuffix(".").strip()
    text = text.strip("*").strip()
    if len(text) > 1 and text.startswith("$") and text.endswith("$"):
        text = text.strip("$").strip()
    return text
