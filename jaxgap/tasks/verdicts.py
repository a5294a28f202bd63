"""What a text says is true or false, and what it denies: "not true" is false.

Denials are of endless forms. Those that are understood turn a verdict round; near a verdict one
that is not leaves it open, for a wrong reading would count as a wrong answer, or as a right one.
"""

from __future__ import annotations

import re

from jaxgap.tasks.numbers import DENIAL

_VERDICT = re.compile(r"\b(?P<word>true|false|untrue)\b", re.IGNORECASE)
# What a text quotes is not what it says.
_QUOTED = re.compile(
    r"\"[^\"\n]{1,200}\"|\u201c[^\u201d\n]{1,200}\u201d"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,200}'(?!\w)"
)
# What a denial does not reach beyond. Right after one a comma, colon or bracket ends nothing.
_CLAUSE_END = re.compile(
    r"[.;!?\n)\]|=>\u2014\u2192\u21d2]|\s[-\u2013]\s"
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
# How many characters before a verdict a denial is looked for, and how many words before it one that
# is not understood matters.
_REACH, _NEAR = 160, 8
# With nothing else between, a denial is one of the verdict.
_FILLERS = re.compile(
    r"(?:(?:a|all|always|actually|any|at|be|been|by|case|claim|completely|conclusion|entirely|even"
    r"|ever|exactly|fact|fully|in|is|it|means|necessarily|possibly|quite|really|statement|strictly"
    r"|that|the|this|to|true|truly|way) )*"
)
# "Max is not red is true" says so of Max, "it is not certain that it is true" does not say it is.
_COPULA = re.compile(r"\b(?:is|are|was|it['\u2019]s|that['\u2019]s|must|remains) ")
_ATTITUDE = re.compile(
    r"\b(?:that|whether|if|case|think|believe|say|know|certain|sure|clear|known|possible|likely"
    r"|proven) "
)
# These deny too, in ways that are not worked out.
_DOUBT = re.compile(r"neither|nor|impossible|incorrect|opposite|unlikely|wrong")


def verdicts(text: str) -> list[re.Match[str]]:
    """Every "true", "false" and "untrue" of a text, but for what it only quotes.

    >>> [found.group() for found in verdicts("True: 'all cats' is not said to be false")]
    ['True', 'false']
    """
    return list(_VERDICT.finditer(_QUOTED.sub(_unquoted, text)))


def _unquoted(quoted: re.Match[str]) -> str:
    """A word for what is quoted, unless a verdict is."""
    return quoted.group() if _VERDICT.search(quoted.group()) else " it "


def said(verdict: re.Match[str]) -> tuple[int, str]:
    """Where a verdict begins with what denies it, and True or False; empty if that is not clear.

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
    """What denies a verdict that comes after these words, last one first; None if not clear."""
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
    """Whether a denial with this between it and a verdict is of something else."""
    return bool(_COPULA.search(between)) and not _ATTITUDE.search(between)
