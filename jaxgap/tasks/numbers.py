"""The number that an answer states, in whatever notation."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Literal

from jaxgap.tasks.answers import MAX_CHARACTERS, bare, last_match

MAX_DIGITS = 400
"""Longer numbers are not recognised."""

DENIAL = (
    r"(?:\b(?:not|cannot|never|hardly|no\s{1,3}longer|rather\s{1,3}than|instead\s{1,3}of)\b"
    r"|n['\u2019]t\b)"
)
"""A regular expression for words that negate what follows them."""

_MAX_COMPOSED = 5_000  # characters
DASHES = "\u2010\u2011\u2013"
"""Hyphens and dashes that are written for "-", besides minus signs."""

_MINUS_SIGNS = str.maketrans(dict.fromkeys(f"{DASHES}\u2212\ufe63\uff0d", "-"))
_THOUSANDS = re.compile(r"(?<=\d)(?:[\u2009\u202f\u00a0]|\\[,! ]|,\\!|\{,\})(?=\d{3}(?!\d))")
# LaTeX's delimiters of formulas, not brackets.
_FORMULA_ENDS = re.compile(r"\\[()[\]]")
# With a unit, only at the end: "60 minutes or 30 minutes each way" says the same in two ways.
_OR_ANOTHER = re.compile(
    r"\s{0,3}\$?\s{0,3}or\s(?=[^\d\n]{0,10}\d)"
    r"|[ -]?(?P<unit>[A-Za-z%°]{1,15}?)s?\s{1,3}or\s"
    r"(?=[^\d\n]{0,10}\d[\d.,/]{0,20}[ -]?(?P=unit)s?[\s.!$)}]{0,3}\Z)",
    re.IGNORECASE,
)
# Brackets that are not an operand, as in a product.
_REMARK = re.compile(
    r"(?<![-+*/×÷^])(?<![-+*/×÷^]\s)(?<!\dx)(?<!\sx\s)(?<!times\s)(?<!cdot\s)\([^()]*\)"
)
_QUOTIENT = re.compile(r"/|\\[dt]?frac")
# A minus sign set apart, or the word, where no number can precede it.
_SIGN_APART = re.compile(
    r"(?P<before>(?:\A|[=:({]|(?<!\d)\$|\b(?:is|was|be|equals)\b)\s{0,3})(?:-|minus\b)\s{1,3}"
    r"(?=\\?[$€£]?\.?\d|\\[dt]?frac)",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"(?<![\w-])negative\s{1,3}(?=\\?[$€£]?\.?\d|\\[dt]?frac)", re.IGNORECASE)
POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
"""The powers of ten of words that scale a number."""

SCALES = f"(?a:{'|'.join(POWERS)})"
"""A regular expression for these words; where case is ignored, that of ASCII letters only."""

# After a currency, which is not the beginning of a formula, M is million, not metre.
_SCALED = re.compile(
    r"(?:(?P<currency>(?:\\\$|[€£]|\$(?![^$\n]*\$(?![\d.])))-?)|(?<![\w/.,]))"
    r"(?P<number>\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,9})?)"
    r"(?:(?P<letter>(?(currency)[KMB]|K))\b"
    rf"|\s{{0,3}}\b(?P<scale>{SCALES})s?(?![\w-]))",
    re.IGNORECASE,
)
_LETTERS = {"k": 3, "m": 6, "b": 9}
# `½`, and a fraction after a whole number.
_VULGAR = re.compile(r"\s?([\u00bc-\u00be\u2150-\u215e])")
_MIXED = re.compile(r"(?<![\d.,/^])(\d{1,9})\s?\\[dt]?frac\{(\d{1,9})\}\{(\d{1,9})\}")
# Three separate digits continue a number if at most a unit follows: "1, 234 dollars".
_GROUP = (
    r"(?:\s\d{3}){1,4}(?:\.\d{1,9})?(?![\d-])(?=(?:\s?[A-Za-z$%€£°]{1,15})?[\s.!$)}]{0,3}"
    r"(?:\Z|;|,?\s?\b(?:since|because)\b))"
)
# Ends the statement of an answer; a comma between digits does not.
_EXPLANATION = re.compile(rf"(?<!\d),|,(?!\d|{_GROUP})|;|\b(?:since|because)\b", re.IGNORECASE)

# Whole numbers with or without commas, decimals, powers of ten, fractions and mixed numbers; a sign
# may precede a currency.
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)])[-+])?\\?[$€£]?(?P<inner>(?<=[$€£])-)?"
    rf"(?:\\[dt]?frac\{{(?P<top>-?\d+)\}}\{{(?P<bottom>\d+)\}}"
    rf"|(?P<and>\d{{1,9}}) (?P<part>\d{{1,9}}/\d{{1,9}})(?![\d/]|\.\d)"
    rf"|(?P<whole>{_WHOLE})(?P<decimals>\.\d+)?(?:[eE](?P<power>[-+]?\d{{1,2}})(?!\w)|/(?P<over>\d+(?:\.\d+)?))?"
    # "Rs.25" has no decimal point.
    rf"|(?P<point>(?<![A-Za-z])\.\d+))"
)

# The letters and signs of a unit, and the next operand of an operation.
_UNIT = r"(?:[ -]?(?:\\?[A-Za-z$%°]{1,15}|\\text\{[^{}]{0,20}\})){0,2}?"
_NEXT = r"[\s$({\\]{0,4}(?:[€£]|[dt]?frac\{)?[-+]?\.?\d"
_MEASURE = r"(?:dollar|feet|foot|ft|hour|hr|h|inche|lb|min|minute|month|pound|week|yard|year)s?"
# Follows a number that is only a part of the answer, as in "2 hours and 5 minutes".
_GOES_ON = re.compile(
    rf",\d|\.\d|,?{_GROUP}|(?:(?<=e\d)|(?<=e\d\d))[ \t]{{1,3}}\d|\s\d{{1,9}}/\d"
    rf"|_\d|:(?!00\b)\d|['\u2019]\s?\d|\s?\\[dt]?frac|\s?R\s?\d|\sremainder\b"
    rf"|\s?(?:\\text\{{\s?)?{_MEASURE}[\s}}]{{1,3}}\d{{1,3}}(?!\d)|"
    r"!\s?[-+*×/÷^]|[²³\u2070-\u2079]|e\d"
    rf"|(?:\s?\^|\s?[-/÷~]|\s?\\?\*{{1,2}}|\sto){_NEXT}"
    rf"|{_UNIT}(?:\s?(?:[+×·]|(?<![A-Za-z])x)|\s[-*/÷]\s|\s?\\(?:times|cdot|div|pm)"
    rf"|\s(?:and|plus|minus|times|(?:divided|multiplied)\sby)\b){_NEXT}"
    rf"|{_UNIT}\sand\s(?:a|one)\s(?:half|third|quarter)\b"
    rf"|(?:\s|\\,){{0,3}}(?:\\text\{{\s?)?(?:{SCALES})s?(?![\w-])",
    re.IGNORECASE,
)
# Precedes a number that is not the answer; "no less than 5" does not match.
_NOT_MEANT = re.compile(
    rf"(?:{DENIAL}(?:\s{{1,3}}[A-Za-z]{{1,12}}){{0,3}}\s{{1,3}}"
    r"|(?<!\bno )\b(?:less|more|fewer|greater|lower|higher)\sthan\s{1,3}"
    r"|\b(?:under|over|below|above|plus|minus|times)\s{1,3}|(?:\w\s|\A)[<>]\s?|\\[lg]t\s?"
    r"|(?<![\w)-])-(?=\$?(?:\\left)?[({\[])(?:\\left)?"  # of a bracket
    r"|√\s?|\b(?:sqrt|root\sof)\s?|\\(?:sqrt|[dt]?frac|binom)\s?)[\s$({\[]{0,3}\Z",
    re.IGNORECASE,
)
# How many characters before a number are searched.
_REACH = 80
# "not 18 but 17" states the second number.
_CORRECTED = re.compile(
    rf"{DENIAL}(?!\s{{1,3}}(?:only|just|merely)\b)(?:\s{{1,3}}[A-Za-z]{{1,12}}){{0,3}}\s{{1,3}}"
    r"[^\w\s]{0,2}\d[\d,.]*[^\d.!?]{0,30}?\b(?:but|rather|it\sis|it['\u2019]s)\s"
    r"(?=(?:[A-Za-z]{1,9}['\u2019]?s?\s){0,3}[^\w\s]{0,3}\d)",
    re.IGNORECASE,
)


def canonical_number(text: str) -> str | None:
    """The last number in a text as a whole number or reduced fraction; None without one.

    Commas between thousands, currency signs and units do not matter; a percentage counts as its
    number. Zero has no sign.

    >>> texts = "$1,234.50", "-0", "3/6 cups", r"\\frac{3}{4}", "−7 °C", "2 1/2", "1e3", "no"
    >>> [canonical_number(text) for text in texts]
    ['2469/2', '0', '1/2', '3/4', '-7', '5/2', '1000', None]
    """
    return _canonical(last_match(_NUMBER, _plain(text)))


def stated_number(text: str) -> str | None:
    """The number that a marked answer states, as :func:`canonical_number` writes it.

    It is the first number of the statement, which ends at a comma, a semicolon, "since" or
    "because". In an equation it is the first number after the last equals sign, unless just a
    number, not a quotient, precedes the first one. Numbers after the statement or in brackets count
    only if there is no other. No number is stated by alternatives ("3 or 4"), unless they are
    equal, by something left to compute ("17 + 1", "2 hours and 5 minutes"), by a range ("18-20",
    "less than 18"), or by a mere denial; "not 18 but 17" states 17.

    >>> texts = "$1,080 for 12 months", "1080 (= 90 x 12)", "90 x 12 = 1080", "(5)", "3 or 4"
    >>> [stated_number(text) for text in texts]
    ['1080', '1080', '1080', '5', None]
    >>> [stated_number(text) for text in ("5 = 2 + 3", "20, since 4 * 5 = 20", "1/2 or 0.5")]
    ['5', '20', '1/2']
    """
    text = _CORRECTED.sub(" ", _plain(text).replace("=>", "="))
    alone = _REMARK.sub(" ", text)
    statement = _EXPLANATION.split(alone, maxsplit=1)[0]
    # These are often equal; each distinct text is searched once.
    parts = _result(statement), statement, _result(alone), alone, _result(text.strip(" .()")), text
    for part in dict.fromkeys(parts):
        match = _NUMBER.search(part)
        if match is not None:
            return _agreed(match) if _meant(match) else None
    return None


def canonical_text(text: str, *, keep_case: bool = False) -> str:
    """The number in :func:`canonical_number`'s form if the text is just a number; else the text
    with white space, the composition of characters (NFC) and, unless `keep_case`, case normalised.

    >>> canonical_text("1,000"), canonical_text(" New  York"), canonical_text("3 apples")
    ('1000', 'new york', '3 apples')
    """
    text = text if keep_case else _normalized("NFD", text).casefold()
    plain = " ".join(_normalized("NFC", text).split()).translate(_MINUS_SIGNS)
    match = _NUMBER.fullmatch(plain) if len(plain) <= MAX_DIGITS else None
    number = canonical_number(plain) if match else None
    return plain if number is None else number


def _normalized(form: Literal["NFC", "NFD"], text: str) -> str:
    """A text in a form of Unicode's; unchanged if it is very long, since marks without end on one
    letter take quadratic time.
    """
    return unicodedata.normalize(form, text) if len(text) <= _MAX_COMPOSED else text


def _plain(text: str) -> str:
    """The end of a text, with numbers and minus signs normalised and formula delimiters removed."""
    text = _FORMULA_ENDS.sub(" ", text[-MAX_CHARACTERS:])
    text = between_thousands(",", text.translate(_MINUS_SIGNS))
    text = _MIXED.sub(r"\1 \2/\3", _VULGAR.sub(_in_digits, text))
    text = _NEGATIVE.sub("-", _SIGN_APART.sub(r"\g<before>-", text))
    return _SCALED.sub(_in_full, text)


def _in_digits(vulgar: re.Match[str]) -> str:
    """` 1/2` for "½"."""
    return " " + unicodedata.normalize("NFKC", vulgar[1]).replace("\u2044", "/")


def _in_full(scaled: re.Match[str]) -> str:
    """`5e3` for "5k" and "5 thousand", and `$5e6` for "$5M"."""
    power = (POWERS | _LETTERS)[(scaled["scale"] or scaled["letter"]).lower()]
    return f"{scaled['currency'] or ''}{scaled['number']}e{power}"


def _meant(match: re.Match[str]) -> bool:
    """Whether the number found is the whole answer and is not denied."""
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    return not (_NOT_MEANT.search(before) or _GOES_ON.match(match.string, match.end()))


def _result(text: str) -> str:
    """The side of an equation with its result; the whole text if it is not an equation.

    A quotient before an equals sign is the expression to evaluate.
    """
    first, equals, _ = text.partition("=")
    if equals and not _QUOTIENT.search(first) and _NUMBER.fullmatch(bare(first)):
        return first
    return text.rpartition("=")[2]


def _agreed(match: re.Match[str]) -> str | None:
    """The number found, unless "or" and an unequal one follow."""
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
        / Fraction(found["over"] or "1")
    )


def between_thousands(mark: str, text: str) -> str:
    r"""A text with `mark` in place of thin, no-break or LaTeX spaces between thousands.

    Tildes are left alone, since they often denote a range.

    >>> between_thousands("", r"10\,000 or 10{,}000 or 10~000")
    '10000 or 10000 or 10~000'
    """
    return _THOUSANDS.sub(mark, text)
