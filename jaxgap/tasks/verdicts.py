"""The true/false verdicts in a text, with their negations: "not true" is false.

Negations take endless forms. One that is understood inverts the verdict; one that is not, near a
verdict, leaves it open, since a misreading could make a right answer wrong or a wrong one right.
"""

from __future__ import annotations

import re

from jaxgap.tasks.numbers import DASHES, DENIAL

_VERDICT = re.compile(r"\b(?P<word>true|false|untrue)\b", re.IGNORECASE)
# Quoted text is not the answer's own statement.
_QUOTED = re.compile(
    r"\"[^\"\n]{1,200}\"|\u201c[^\u201d\n]{1,200}\u201d"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,200}'(?!\w)"
)
# Ends the scope of a negation. A comma, colon or bracket right after the negation does not.
_CLAUSE_END = re.compile(
    rf"[.;!?\n)\]|=>\u2014\u2192\u21d2]|\s[-{DASHES}]\s"
    r"|(?<!not)(?<!not\s)(?<!n['\u2019]t)(?<!n['\u2019]t\s)(?<!never)[,:(\[]"
    r"|\b(?:but|and|or|so|thus|hence|therefore|because|since|which|then)\b"
    r"|\b(?:makes|making|means|meaning)\b"
    r"|\b(?:true|false|untrue)\b(?!\s{1,3}that\b)",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    rf"(?P<denial>{DENIAL}|\b(?:non|no\s{{1,3}}way|false|untrue)\b)"
    r"|(?:(?!n['\u2019]t)[\w'\u2019])+|[,:(\[]",
    re.IGNORECASE,
)
# How many characters before a verdict are searched for negations, and within how many words of it
# one that is not understood matters.
_REACH, _NEAR = 160, 8
# A negation with only these words between applies to the verdict.
_FILLERS = re.compile(
    r"(?:(?:a|all|always|actually|any|at|be|been|by|case|claim|completely|conclusion|entirely|even"
    r"|ever|exactly|fact|fully|in|is|it|means|necessarily|possibly|quite|really|statement|strictly"
    r"|that|the|this|to|true|truly|way) )*"
)
# In "Max is not red is true" the negation is about Max; in "it is not certain that it is true" it
# concerns the verdict.
_COPULA = re.compile(r"\b(?:is|are|was|it['\u2019]s|that['\u2019]s|must|remains) ")
_ATTITUDE = re.compile(
    r"\b(?:that|whether|if|case|think|believe|say|know|certain|sure|clear|known|possible|likely"
    r"|proven) "
)
# These negate too, in ways that are not analysed.
_DOUBT = re.compile(r"neither|nor|impossible|incorrect|opposite|unlikely|wrong")


def verdicts(text: str) -> list[re.Match[str]]:
    """Every "true", "false" and "untrue" in a text, except within quotations.

    >>> [found.group() for found in verdicts("True: 'all cats' is not said to be false")]
    ['True', 'false']
    """
    return list(_VERDICT.finditer(_QUOTED.sub(_unquoted, text)))


def _unquoted(quoted: re.Match[str]) -> str:
    """A placeholder for a quotation, unless it contains a verdict."""
    return quoted.group() if _VERDICT.search(quoted.group()) else " it "


def said(verdict: re.Match[str]) -> tuple[int, str]:
    """Where a verdict begins, with its negations, and "True" or "False"; "" if that is unclear.

    >>> said(verdicts("it is not at all true")[0]), said(verdicts("not proven true")[0])
    ((6, 'False'), (11, ''))
    """
    begin = max(0, verdict.start() - _REACH)
    for end in _CLAUSE_END.finditer(verdict.string, begin, verdict.start()):
        begin = end.end()
    words = list(_TOKEN.finditer(verdict.string, begin, verdict.start()))
    denials = _denials(words)
    if denials is None:
        return verdict.start(), ""
    begin = denials[-1].start() if denials else verdict.start()
    return begin, str((verdict["word"].lower() == "true") == (len(denials) % 2 == 0))


def _denials(words: list[re.Match[str]]) -> list[re.Match[str]] | None:
    """The negations of a verdict that follows these words, last one first; None if unclear."""
    denials: list[re.Match[str]] = []
    between: list[str] = []
    for word in reversed(words):
        text = word.group().lower()
        if _DOUBT.fullmatch(text):
            return None
        if not word["denial"]:
            between.insert(0, text + " ")
        elif _FILLERS.fullmatch("".join(between)):
            denials.append(word)
            between = []
        elif len(between) > _NEAR or _of_another("".join(between)):
            break
        else:
            return None
    return denials


def _of_another(between: str) -> bool:
    """Whether a negation separated from a verdict by these words is about something else."""
    return bool(_COPULA.search(between)) and not _ATTITUDE.search(between)
