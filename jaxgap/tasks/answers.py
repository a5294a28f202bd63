"""The final answer in a completion: where it is looked for, in one order for all tasks.

1. between the last `<answer>` that is closed and its `</answer>`, where that is not empty; the word
   "and" between the two only speaks of them;
2. in the last `\\boxed{...}` (or `\\fbox{...}`) whose braces are balanced and not empty; without
   one, what follows the last `\\boxed`, up to white space or the end of the formula, if it has a
   digit or a command in it or is a single letter;
3. after the last `####`, or the last `answer is` or `answer:` that something comes after, to the
   end of the line, or of the sentence before the next of them: whichever of the two begins later.
   What speaks of an answer that was given ("this answer is", "the answer is correct") counts only
   where nothing else does;
4. on the last line.

A text that has something after its last `</think>` is looked at from there: a draft is no answer.

Lines that are empty, or only begin or end display mathematics, bold type or code, are passed over
by 3 and 4. Surrounding white space is taken off, and of what is not marked by 1 or 2 also what
begins and ends a formula, asterisks and a final full stop. Only the end of a very long completion
is looked at, and nothing here takes more than linear time, so that no completion can hold up a run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeAlias

MAX_CHARACTERS = 100_000
"""How much of a completion's end is looked at."""

MAX_DIGITS = 400
"""Longer numbers are not taken for numbers."""

DENIAL = (
    r"(?:\b(?:not|cannot|never|hardly|no\s{1,3}longer|rather\s{1,3}than|instead\s{1,3}of)\b"
    r"|n['\u2019]t\b)"
)
"""A regular expression for the words that deny what comes after them."""

_TAGGED = re.compile(r"<answer>(?P<held>(?:(?!</?answer>).)*)</answer>", re.DOTALL)
# Of the tags, as a prompt does: "between <answer> and </answer>".
_SPOKEN_OF = re.compile(r"[ \t`'\"]+and[ \t`'\"]+")
# The last of each line; a heading that only announces the answer has it on the next one.
_HASHES = re.compile(
    r"^[^\n]*(?P<marker>####)(?:[^\n#]{0,40}\banswer[ \t\r*]{0,9}$)?", re.IGNORECASE | re.MULTILINE
)
_SAID = re.compile(r"(?P<marker>answer)\*{0,3}(?:\s{0,3}is\*{0,3}:?|:)", re.IGNORECASE)
# What only speaks of an answer that was given, before and after the marker.
_THIS = re.compile(r"\b(?:this|that)\s{1,3}\Z", re.IGNORECASE)
_SPEAKS = re.compile(
    r"\s{1,3}(?:also\s|indeed\s)?(?:accurate|consistent|correct|helpful|reasonable|rounded|verified"
    r"|in\s(?:(?:the|its|square|simplest|lowest)\s){0,2}(?:cents|dollars|form|hours|minutes|terms"
    r"|units))\b",
    re.IGNORECASE,
)
# Where the sentence of a marker begins, looked for so far before it.
_SENTENCE = re.compile(r"[.!?]\W{0,3}\s|\n|\(")
_BEFORE_MARKER = 60
_THOUGHT_ENDS = "</think>"
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
_THOUSANDS = re.compile(r"(?<=\d)(?:[\u2009\u202f\u00a0]|\\[,! ]|,\\!|\{,\})(?=\d{3}(?!\d))")
# What begins and ends a formula in a text; no brackets.
_FORMULA_ENDS = re.compile(r"\\[()[\]]")
_FORMULAS = (r"\(\)", r"\[\]")
_OR_ANOTHER = re.compile(r"\s{0,3}\$?\s{0,3}or\s(?=[^\d\n]{0,10}\d)")
# Not where a bracket is multiplied or the like.
_REMARK = re.compile(
    r"(?<![-+*/×÷^])(?<![-+*/×÷^]\s)(?<!\dx)(?<!\sx\s)(?<!times\s)(?<!cdot\s)\([^()]*\)"
)
_QUOTIENT = re.compile(r"/|\\[dt]?frac")
# A sign that is set apart or a word, where no number can stand before it.
_SIGN_APART = re.compile(
    r"(?P<before>(?:\A|[=:({]|(?<!\d)\$|\b(?:is|was|be|equals)\b)\s{0,3})(?:-|minus\b)\s{1,3}"
    r"(?=\\?[$€£]?\.?\d|\\[dt]?frac)",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"(?<![\w-])negative\s{1,3}(?=\\?[$€£]?\.?\d|\\[dt]?frac)", re.IGNORECASE)
_SCALED = re.compile(
    r"(?<![\w/.,])(?P<number>\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,9})?)"
    r"(?:[kK]\b|\s{0,3}\b(?P<scale>hundred|thousand|million|billion)s?(?![\w-]))",
    re.IGNORECASE,
)
_POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9}
# `½`, and a fraction after a whole number.
_VULGAR = re.compile(r"\s?([\u00bc-\u00be\u2150-\u215e])")
_MIXED = re.compile(r"(?<![\d.,/^])(\d{1,9})\s?\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}")
# Three digits of their own go on with a number where at most a unit follows: "1, 234 dollars".
_GROUP = (
    r"\s\d{3}(?![\d-])(?=(?:\s?[A-Za-z$%€£°]{1,15})?[\s.!$)}]{0,3}"
    r"(?:\Z|;|,?\s?\b(?:since|because)\b))"
)
# What ends the statement of an answer; a comma between digits does not.
_EXPLANATION = re.compile(rf"(?<!\d),|,(?!\d|{_GROUP})|;|\b(?:since|because)\b", re.IGNORECASE)

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

# A few letters and signs of a unit, and the number that an operation goes on with.
_UNIT = r"(?:[ -]?(?:\\?[A-Za-z$%°]{1,15}|\\text\{[^{}]{0,20}\})){0,2}?"
_NEXT = r"[\s$({\\]{0,4}(?:[€£]|[dt]?frac\{)?[-+]?\.?\d"
_MEASURE = r"(?:dollar|feet|foot|ft|hour|hr|h|inche|lb|min|minute|month|pound|week|yard|year)s?"
# Where the number before is only a part of what is meant, as in "2 hours and 5 minutes".
_GOES_ON = re.compile(
    rf",\d|,?{_GROUP}|:(?!00\b)\d|['\u2019]\s?\d|\s?\\[dt]?frac|\s?R\s?\d|\sremainder\b"
    rf"|\s?(?:\\text\{{\s?)?{_MEASURE}[\s}}]{{1,3}}\d{{1,3}}(?!\d)|"
    r"!\s?[-+*×/÷^]|[²³\u2070-\u2079]|e\d"
    rf"|(?:\s?\^|\s?[-/÷~]|\s?\\?\*{{1,2}}|\sto){_NEXT}"
    rf"|{_UNIT}(?:\s?(?:[+×·]|(?<![A-Za-z])x)|\s[-*/÷]\s|\s?\\(?:times|cdot|div|pm)"
    rf"|\s(?:and|plus|minus|times|(?:divided|multiplied)\sby)\b){_NEXT}"
    rf"|{_UNIT}\sand\s(?:a|one)\s(?:half|third|quarter)\b"
    r"|(?:\s|\\,){0,3}(?:\\text\{\s?)?(?:hundred|thousand|million|billion)s?(?![\w-])",
    re.IGNORECASE,
)
# What before a number says that it is not the one that is meant; "no less than 5" does not.
_NOT_MEANT = re.compile(
    rf"(?:{DENIAL}(?:\s{{1,3}}[A-Za-z]{{1,12}}){{0,3}}\s{{1,3}}"
    r"|(?<!\bno )\b(?:less|more|fewer|greater|lower|higher)\sthan\s{1,3}"
    r"|\b(?:under|over|below|above|plus|minus|times)\s{1,3}|(?:\w\s|\A)[<>]\s?|\\[lg]t\s?"
    r"|√\s?|\b(?:sqrt|root\sof)\s?|\\(?:sqrt|[dt]?frac|binom)\s?)[\s$({\[]{0,3}\Z",
    re.IGNORECASE,
)
# How much of what comes before a number is looked at.
_REACH = 80
# "not 18 but 17" states what comes after.
_CORRECTED = re.compile(
    rf"{DENIAL}(?!\s{{1,3}}(?:only|just|merely)\b)(?:\s{{1,3}}[A-Za-z]{{1,12}}){{0,3}}\s{{1,3}}"
    r"[^\w\s]{0,2}\d[\d,.]*[^\d.!?]{0,30}?\b(?:but|rather|it\sis|it['\u2019]s)\s"
    r"(?=(?:[A-Za-z]{1,9}['\u2019]?s?\s){0,3}[^\w\s]{0,3}\d)",
    re.IGNORECASE,
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
    end = after_thought(text)[-MAX_CHARACTERS:]
    held = _tagged(end)
    held = boxed(end) if held is None else held
    return None if held is None else held.strip()


def _anything(line: str) -> bool:
    return True


def marked_answer(text: str, holds: Callable[[str], object] = _anything) -> str | None:
    """What a text marks as its answer, by rules 1 to 3; None where it marks nothing.

    `holds` says whether a line can be an answer. One after `####` that cannot is a heading, which
    marks nothing; one after "answer is" that cannot counts only where nothing else marks an answer.

    >>> marked_answer("6 * 7\\n#### 42"), marked_answer("42")
    ('42', None)
    >>> marked_answer("#### 42\\n#### Hence"), marked_answer("#### 42\\n#### Hence", str.isdigit)
    ('Hence', '42')
    """
    enclosed = enclosed_answer(text)
    if enclosed is not None:
        return enclosed
    end = after_thought(text)[-MAX_CHARACTERS:]
    best = max([*_after_hashes(end, holds), *_after_said(end, holds)], default=None)
    return None if best is None else best[1]


def last_line(text: str) -> str:
    """What is on the last line, by rule 4.

    >>> last_line("first\\n\\nsecond\\n"), last_line("\\\\[\\n6 * 7 = 42\\n\\\\]")
    ('second', '6 * 7 = 42')
    """
    end = after_thought(text)[-MAX_CHARACTERS:]
    lines = (line.strip() for line in reversed(end.split("\n")))
    return bare(next((line for line in lines if line and not _DECORATION.fullmatch(line)), ""))


def after_thought(text: str) -> str:
    """What follows the last `</think>` of a text, unless it is blank; else all of it.

    >>> after_thought("<think>4?</think>5"), after_thought("<think>4</think> ")
    ('5', '<think>4</think> ')
    """
    _, _, said_after = text.rpartition(_THOUGHT_ENDS)
    return said_after if said_after.strip() else text


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
    no other. Who says that it is one number or another has stated none, unless the two are equal,
    nor has who leaves something to work out ("17 + 1", "2 hours and 5 minutes"), gives a range
    ("18-20", "less than 18") or says only what it is not; "not 18 but 17" states 17.

    >>> texts = "$1,080 for 12 months", "1080 (= 90 x 12)", "90 x 12 = 1080", "(5)", "3 or 4"
    >>> [stated_number(text) for text in texts]
    ['1080', '1080', '1080', '5', None]
    >>> [stated_number(text) for text in ("5 = 2 + 3", "20, since 4 * 5 = 20", "1/2 or 0.5")]
    ['5', '20', '1/2']
    """
    text = _CORRECTED.sub(" ", _plain(text).replace("=>", "="))
    alone = _REMARK.sub(" ", text)
    statement = _EXPLANATION.split(alone, maxsplit=1)[0]
    # Often the same text, which is searched once.
    parts = _result(statement), statement, _result(alone), alone, _result(text.strip(" .()")), text
    for part in dict.fromkeys(parts):
        match = _NUMBER.search(part)
        if match is not None:
            return _agreed(match) if _meant(match) else None
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
    text = between_thousands(",", text.translate(_MINUS_SIGNS))
    text = _MIXED.sub(r"\1 \2/\3", _VULGAR.sub(_in_digits, text))
    text = _NEGATIVE.sub("-", _SIGN_APART.sub(r"\g<before>-", text))
    return _SCALED.sub(_in_full, text)


def _in_digits(vulgar: re.Match[str]) -> str:
    """` 1/2` for "½"."""
    return " " + unicodedata.normalize("NFKC", vulgar[1]).replace("\u2044", "/")


def _in_full(scaled: re.Match[str]) -> str:
    """`5e3` for "5k" and "5 thousand"."""
    return f"{scaled['number']}e{_POWERS[(scaled['scale'] or 'thousand').lower()]}"


def _meant(match: re.Match[str]) -> bool:
    """Whether the number that was found is all that is said, and not only what is denied."""
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    return not (_NOT_MEANT.search(before) or _GOES_ON.match(match.string, match.end()))


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


_Rank: TypeAlias = tuple[bool, bool, int]
"""Whether a line can be an answer, and whether it states one; where its marker begins."""


def _after_hashes(text: str, holds: Callable[[str], object]) -> Iterator[tuple[_Rank, str]]:
    """The last line after `####` that can be an answer; nothing without one."""
    for match in reversed(list(_HASHES.finditer(text))):
        if holds(line := _line(text, match.end(), len(text))):
            yield (True, True, match.start("marker")), line
            return


def _after_said(text: str, holds: Callable[[str], object]) -> Iterator[tuple[_Rank, str]]:
    """The lines after "answer is", from the last to the first that none before it can outrank.

    Each ends before the next marker, so that together they are no longer than the text.
    """
    end = len(text)
    for match in reversed(list(_SAID.finditer(text))):
        begin = match.start("marker")
        # Up to where the sentence of the next marker begins.
        reach = max(match.end(), end - _BEFORE_MARKER)
        sentence = _last_match(_SENTENCE, text[reach:end]) if end < len(text) else None
        if line := _line(text, match.end(), reach + sentence.start() if sentence else end):
            speaks = _THIS.search(text[max(0, begin - 8) : begin]) or (
                match.group()[-1] in "sS" and _SPEAKS.match(text, match.end())
            )
            rank = (bool(holds(line)), not speaks, begin)
            yield rank, line
            if rank[:2] == (True, True):
                return
        end = begin


def _line(text: str, begin: int, end: int) -> str:
    """The first line between two places that holds something.

    It is matched in place: a slice for each of many markers would take quadratic time.
    """
    first = _FIRST_LINE.match(text, begin, end)
    return bare(first["line"] if first else "")


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


def between_thousands(mark: str, text: str) -> str:
    r"""A text with `mark` where typesetters have thin or unbreakable spaces, and LaTeX its own.

    Not where there is a tilde, which is as often that of a range.

    >>> between_thousands("", r"10\,000 or 10{,}000 or 10~000")
    '10000 or 10000 or 10~000'
    """
    return _THOUSANDS.sub(mark, text)


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
