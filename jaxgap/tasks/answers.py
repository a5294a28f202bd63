"""The final answer in a completion: where it is looked for, in one order for all tasks.

1. between the last `<answer>` that is closed and its `</answer>`, where that is not empty; the word
   "and" between the two only speaks of them;
2. in the last `\\boxed{...}` (or `\\fbox{...}`) whose braces are balanced and not empty; without
   one, what follows the last `\\boxed`, up to white space or the end of the formula, if it has a
   digit or a command in it or is a single letter;
3. after the last `####`, or the last `answer is` or `answer:` that something comes after, to the
   end of the line: whichever of the two begins later;
4. on the last line.

Lines that are empty, or only begin or end display mathematics, bold type or code, are passed over
by 3 and 4. Surrounding white space is taken off, and of what is not marked by 1 or 2 also what
begins and ends a formula, asterisks and a final full stop. Only the end of a very long completion
is looked at, and nothing here takes more than linear time, so that no completion can hold up a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

MAX_CHARACTERS = 100_000
"""How much of a completion's end is looked at."""

MAX_DIGITS = 400
"""Longer numbers are not taken for numbers."""

_TAGGED = re.compile(r"<answer>(?P<held>(?:(?!</?answer>).)*)</answer>", re.DOTALL)
# Of the tags, as a prompt does: "between <answer> and </answer>".
_SPOKEN_OF = re.compile(r"[ \t`'\"]+and[ \t`'\"]+")
# The last of each line; a heading that only announces the answer has it on the next one.
_HASHES = re.compile(
    r"^[^\n]*(?P<marker>####)(?:[^\n#]{0,40}\banswer[ \t\r*]{0,9}$)?", re.IGNORECASE | re.MULTILINE
)
_SAID = re.compile(r"(?P<marker>answer)\*{0,3}(?:\s{0,3}is\*{0,3}:?|:)", re.IGNORECASE)
_DECORATION = re.compile(r"(?:\\[\[\]]|\$\$|\*\*|```)\.?")
_FIRST_LINE = re.compile(rf"\s*(?:{_DECORATION.pattern}[^\S\n]*(?:\n\s*|\Z))*(?P<line>[^\n]*)")
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mbox)\{([^{}]*)\}")
_BOX_OR_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s{0,3}\{)|[{}]")
_UNBRACED = re.compile(
    r"\\(?:boxed|fbox)(?![A-Za-z])\s{0,3}(?P<token>(?!\{)(?:(?!\\[)\]])[^\s$])+)"
)
# What a box without braces may hold; other words after it only speak of the box.
_BOXABLE = re.compile(r"\d|\\[A-Za-z]|\A[A-Za-z]\Z")
_MINUS_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\ufe63": "-", "\uff0d": "-"})
# Thin and unbreakable spaces, as typesetters have them between thousands; LaTeX's, and its comma.
_THOUSANDS = re.compile(r"(?<=\d)(?:[\u2009\u202f\u00a0]|\\[,!]|,\\!|\{,\})(?=\d{3}(?!\d))")
# What begins and ends a formula in a text; no brackets.
_FORMULA_ENDS = re.compile(r"\\[()[\]]")
_FORMULAS = (r"\(\)", r"\[\]")
_OR_ANOTHER = re.compile(r"\s{0,3}\$?\s{0,3}or\s(?=[^\d\n]{0,10}\d)")
_REMARK = re.compile(r"\([^()]*\)")
_QUOTIENT = re.compile(r"/|\\[dt]?frac")
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
    return last_line(completion) if marked is None else marked


def enclosed_answer(text: str) -> str | None:
    """What a text has in tags or a box, by rules 1 and 2; None where it has neither.

    >>> enclosed_answer("<answer>42</answer>"), enclosed_answer("#### 42")
    ('42', None)
    """
    end = text[-MAX_CHARACTERS:]
    held = _tagged(end)
    held = boxed(end) if held is None else held
    return None if held is None else held.strip()


def _anything(line: str) -> bool:
    return True


def marked_answer(text: str, holds: Callable[[str], object] = _anything) -> str | None:
    """What a text marks as its answer, by rules 1 to 3; None where it marks nothing.

    `holds` says whether a line can be an answer. One after `####` that cannot is a heading, which
    marks nothing; one after "answer is" counts only where no `####` marks an answer.

    >>> marked_answer("6 * 7\\n#### 42"), marked_answer("42")
    ('42', None)
    >>> marked_answer("#### 42\\n#### Hence"), marked_answer("#### 42\\n#### Hence", str.isdigit)
    ('Hence', '42')
    """
    enclosed = enclosed_answer(text)
    if enclosed is not None:
        return enclosed
    end = text[-MAX_CHARACTERS:]
    stated = [*_after(_HASHES, end, holds), *_after(_SAID, end, bool)]
    best = max(stated, key=lambda found: (bool(holds(found[1])), found[0]), default=None)
    return None if best is None else best[1]


def last_line(text: str) -> str:
    """What is on the last line, by rule 4.

    >>> last_line("first\\n\\nsecond\\n"), last_line("\\\\[\\n6 * 7 = 42\\n\\\\]")
    ('second', '6 * 7 = 42')
    """
    lines = (line.strip() for line in reversed(text[-MAX_CHARACTERS:].split("\n")))
    return bare(next((line for line in lines if line and not _DECORATION.fullmatch(line)), ""))


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
    an equation it is the first after the last equals sign, unless a number alone, and no quotient,
    stands before the first one. What comes after the statement or in brackets counts where there is
    no other. Who says that it is one number or another has stated none, unless the two are equal.

    >>> texts = "$1,080 for 12 months", "1080 (= 90 x 12)", "90 x 12 = 1080", "(5)", "3 or 4"
    >>> [stated_number(text) for text in texts]
    ['1080', '1080', '1080', '5', None]
    >>> [stated_number(text) for text in ("5 = 2 + 3", "20, since 4 * 5 = 20", "1/2 or 0.5")]
    ['5', '20', '1/2']
    """
    text = _plain(text)
    alone = _REMARK.sub(" ", text)
    statement = _EXPLANATION.split(alone, maxsplit=1)[0]
    # Often the same text, which is searched once.
    parts = _result(statement), statement, _result(alone), alone, _result(text.strip(" .()")), text
    for part in dict.fromkeys(parts):
        match = _NUMBER.search(part)
        if match is not None:
            return _agreed(match)
    return None


def canonical_text(text: str, *, keep_case: bool = False) -> str:
    """A number as :func:`canonical_number` writes it if the text is nothing else; or the text,
    without regard to white space and, unless it is kept, case.

    >>> canonical_text("1,000"), canonical_text(" New  York"), canonical_text("3 apples")
    ('1000', 'new york', '3 apples')
    """
    text = text if keep_case else text.casefold()
    plain = " ".join(text.split()).translate(_MINUS_SIGNS)
    match = _NUMBER.fullmatch(plain) if len(plain) <= MAX_DIGITS else None
    number = canonical_number(plain) if match else None
    return plain if number is None else number


def _plain(text: str) -> str:
    """The end of a text with one sign for minus, commas between thousands, no ends of formulas."""
    text = _FORMULA_ENDS.sub(" ", text[-MAX_CHARACTERS:])
    return _THOUSANDS.sub(",", text.translate(_MINUS_SIGNS))


def _result(text: str) -> str:
    """The side of an equation that says what it comes to; all of what is no equation.

    A quotient before an equals sign is what there is to work out.
    """
    first, equals, _ = text.partition("=")
    if equals and not _QUOTIENT.search(first) and _NUMBER.fullmatch(bare(first)):
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
    held = [match["held"] for match in _TAGGED.finditer(text)]
    held = [inner for inner in held if not _SPOKEN_OF.fullmatch(inner)]
    return next((inner for inner in reversed(held) if inner.strip()), "" if held else None)


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


def _after(
    marker: re.Pattern[str], text: str, holds: Callable[[str], object]
) -> Iterator[tuple[int, str]]:
    """Where the last marker begins whose line holds something, and that line; nothing without one.

    Lines are matched in place: a slice for each of many markers would take quadratic time.
    """
    for match in reversed(list(marker.finditer(text))):
        first = _FIRST_LINE.match(text, match.end())
        line = bare(first["line"] if first else "")
        if holds(line):
            yield match.start("marker"), line
            return


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for match in pattern.finditer(text):
        last = match
    return last


def without_text_commands(text: str) -> str:
    """A text without LaTeX's commands for words in formulas.

    >>> without_text_commands(r"\\text{New} \\mbox{York}")
    'New York'
    """
    return _TEXT_COMMAND.sub(r"\1", text)


def bare(text: str) -> str:
    """Without decoration that is no part of an answer.

    >>> bare("**$4$**."), bare(r"\\(4\\).")
    ('4', '4')
    """
    text = text.strip().removesuffix(".").strip()
    text = text.strip("*").strip()
    if len(text) > 1 and text.startswith("$") and text.endswith("$"):
        text = text.strip("$").strip()
    if text[:2] + text[-2:] in _FORMULAS and text.count(text[:2]) == 1:
        text = text[2:-2].strip()
    return text
