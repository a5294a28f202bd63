"""The final answer in a completion: where it is looked for, in one order for all tasks.

1. between the last `<answer>` and its `</answer>`;
2. in the last `\\boxed{...}` (or `\\fbox{...}`) whose braces are balanced and not empty; without
   one, what follows the last `\\boxed`, up to white space or a dollar sign, if it has a digit or a
   command in it or is a single letter;
3. after the last `####`, to the end of its line;
4. after the last `answer is` or `answer:`, to the end of its line;
5. on the last line that is not empty.

Surrounding white space is taken off, and of what is not marked by 1 or 2 also dollar signs,
asterisks and a final full stop. Only the end of a very long completion is looked at, and nothing
here takes more than linear time, so that no completion can hold up a run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

MAX_CHARACTERS = 100_000
"""How much of a completion's end is looked at."""

MAX_DIGITS = 400
"""Longer numbers are not taken for numbers."""

_SAID = re.compile(r"answer(?:\s{0,3}is:?|:)", re.IGNORECASE)
_BOX_OR_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s{0,3}\{)|[{}]")
_UNBRACED = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s{0,3}(?P<token>[^\s${][^\s$]*)")
# What a box without braces may hold; other words after it only speak of the box.
_BOXABLE = re.compile(r"\d|\\[A-Za-z]|\A[A-Za-z]\Z")
_MINUS_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-"})
# Thin and unbreakable spaces, as typesetters have them between thousands; LaTeX's, and its comma.
_THOUSANDS = re.compile(r"(?<=\d)(?:[\u2009\u202f\u00a0]|\\[,!]|,\\!|\{,\})(?=\d{3}(?!\d))")
_OR_ANOTHER = re.compile(r"\s{0,3}\$?\s{0,3}or\s(?=[^\d\n]{0,10}\d)")
_REMARK = re.compile(r"\([^()]*\)")
# What ends the statement of an answer; a comma between thousands does not.
_EXPLANATION = re.compile(r"(?<!\d),|,(?!\d{3}(?!\d))|;|\b(?:since|because)\b", re.IGNORECASE)

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
    for find in (_tagged, boxed):
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

    Empty boxes, and words after a `\\boxed` without braces, only speak of one and do not count.

    >>> boxed(r"\\boxed{1} or \\boxed{\\sqrt{2}}, in \\boxed{} as asked")
    '\\\\sqrt{2}'
    """
    for start, end in sorted(_braced(text), reverse=True):
        if held := text[start:end].strip():
            return held
    tokens = [bare(match["token"]) for match in _UNBRACED.finditer(text)]
    return next((token for token in reversed(tokens) if _BOXABLE.search(token)), None)


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

    It is the first of the statement, which ends at a comma, a semicolon, "since" or "because". Of
    an equation it is the first after the last equals sign, unless a number alone stands before the
    first one. What comes after the statement or in brackets counts where there is no other. Who
    says that it is one number or another has stated none, unless the two are equal.

    >>> texts = "$1,080 for 12 months", "1080 (= 90 x 12)", "90 x 12 = 1080", "(5)", "3 or 4"
    >>> [stated_number(text) for text in texts]
    ['1080', '1080', '1080', '5', None]
    >>> [stated_number(text) for text in ("5 = 2 + 3", "20, since 4 * 5 = 20", "1/2 or 0.5")]
    ['5', '20', '1/2']
    """
    text = _plain(text)
    alone = _REMARK.sub(" ", text)
    statement = _EXPLANATION.split(alone, maxsplit=1)[0]
    for part in (_result(statement), statement, _result(alone), alone, text):
        match = _NUMBER.search(part)
        if match is not None:
            return _agreed(match)
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


def _result(text: str) -> str:
    """The side of an equation that says what it comes to; all of what is no equation."""
    first, equals, _ = text.partition("=")
    if equals and _NUMBER.fullmatch(bare(first)):
        return first
    return text.rpartition("=")[2]


def _agreed(match: re.Match[str]) -> str | None:
    """The number that was found, unless "or" and an unequal one follow."""
    number = _canonical(match)
    other = match
    while connective := _OR_ANOTHER.match(other.string, other.end()):
        other = _NUMBER.search(other.string, connective.end())
        if other is None or _canonical(other) != number:
            return None
    return number


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


def _braced(text: str) -> Iterator[tuple[int, int]]:
    """Where what stands between a box's braces begins and ends, of each that is closed."""
    open_braces: list[re.Match[str]] = []
    for match in _BOX_OR_BRACE.finditer(text):
        if match.group() != "}":
            open_braces.append(match)
        elif open_braces:
            opening = open_braces.pop()
            if opening["box"]:
                yield opening.end(), match.start()


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
