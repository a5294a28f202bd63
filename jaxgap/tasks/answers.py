"""The final answer in a completion. All tasks look for it in the same order:

1. between the last closed, non-empty pair of `<answer>` and `</answer>`, or in the box if that is
   all they hold; with only the word "and" between them, the tags are merely mentioned;
2. in the last non-empty `\\boxed{...}` (or `\\fbox{...}`) with balanced braces; without one, what
   follows the last `\\boxed`, up to white space or the end of the formula, if it contains a digit
   or a command or is a single letter;
3. after the last `####`, or the last `answer is` or `answer:` that is followed by text, to the end
   of the line, or of the sentence before the next marker: whichever of the two begins later.
   Remarks about an answer already given ("this answer is", "the answer is correct") count only if
   there is nothing else;
4. on the last line.

If there is text after the last `</think>`, only that is searched: a draft is not an answer.

Rules 3 and 4 skip lines that are empty, or that only begin or end display mathematics, bold type or
code. Surrounding white space is stripped, and for rules 3 and 4 also formula delimiters, asterisks
and a final full stop. Only the end of a very long completion is searched, and everything here runs
in linear time, so that no completion can stall a run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

MAX_CHARACTERS = 100_000
"""How many characters at the end of a completion are searched."""

_TAGGED = re.compile(r"<answer>(?P<held>(?:(?!</?answer>).)*)</answer>", re.DOTALL)
# Tags merely mentioned, as in a prompt: "between <answer> and </answer>".
_SPOKEN_OF = re.compile(r"[ \t`'\"]+and[ \t`'\"]+")
# The last marker of each line; after a heading that only announces it, the answer is on the next.
_HASHES = re.compile(
    r"^[^\n]*(?P<marker>####)(?:[^\n#]{0,40}\banswer[ \t\r*]{0,9}$)?", re.IGNORECASE | re.MULTILINE
)
_SAID = re.compile(r"(?P<marker>answer)\*{0,3}(?:\s{0,3}is\*{0,3}:?|:)", re.IGNORECASE)
# Remarks about an answer already given, before and after the marker.
_THIS = re.compile(r"\b(?:this|that)\s{1,3}\Z", re.IGNORECASE)
_SPEAKS = re.compile(
    r"\s{1,3}(?:also\s|indeed\s)?(?:accurate|consistent|correct|helpful|reasonable|rounded|verified"
    r"|in\s(?:(?:the|its|square|simplest|lowest)\s){0,2}(?:cents|dollars|form|hours|minutes|terms"
    r"|units))\b",
    re.IGNORECASE,
)
# Where the sentence of a marker begins, searched for within so many characters before it.
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
# What a box without braces may contain; before other words the box is merely mentioned.
_BOXABLE = re.compile(r"\d|\\[A-Za-z]|\A[A-Za-z]\Z")
_FORMULAS = (r"\(\)", r"\[\]")


def final_answer(completion: str) -> str:
    """The text that a completion gives as its final answer; empty if there is none.

    >>> final_answer("So it is 4.\\n<answer>4</answer>"), final_answer(r"Hence $\\boxed{\\pi/2}$.")
    ('4', '\\\\pi/2')
    >>> final_answer("2 + 2 = 4\\nThe answer is 4."), final_answer("first\\n\\nsecond\\n")
    ('4', 'second')
    """
    marked = marked_answer(completion)
    return last_line(completion) if marked is None else marked


def enclosed_answer(text: str) -> str | None:
    """The content of tags or a box in a text, by rules 1 and 2; None without either.

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
    """The text marked as the answer, by rules 1 to 3; None if nothing is marked.

    `holds` tells whether a line can be an answer. A line after `####` that cannot is a heading and
    is ignored; a line after "answer is" that cannot counts only if nothing else marks an answer.

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
    """The last line, by rule 4.

    >>> last_line("first\\n\\nsecond\\n"), last_line("\\\\[\\n6 * 7 = 42\\n\\\\]")
    ('second', '6 * 7 = 42')
    """
    end = after_thought(text)[-MAX_CHARACTERS:]
    lines = (line.strip() for line in reversed(end.split("\n")))
    return bare(next((line for line in lines if line and not _DECORATION.fullmatch(line)), ""))


def after_thought(text: str) -> str:
    """The text after the last `</think>`, unless it is blank; else the whole text.

    >>> after_thought("<think>4?</think>5"), after_thought("<think>4</think> ")
    ('5', '<think>4</think> ')
    """
    _, _, said_after = text.rpartition(_THOUGHT_ENDS)
    return said_after if said_after.strip() else text


def boxed(text: str) -> str | None:
    """The content of the last `\\boxed{...}` or `\\fbox{...}` in a text; None without one.

    Empty boxes, and words after a `\\boxed` without braces, are mere mentions and do not count.

    >>> boxed(r"\\boxed{1} or \\boxed{\\sqrt{2}}, in \\boxed{} as asked")
    '\\\\sqrt{2}'
    """
    for start, end in sorted(_braced(text), reverse=True):
        if held := text[start:end].strip():
            return held
    tokens = [bare(match["token"]) for match in _UNBRACED.finditer(text)]
    return next((token for token in reversed(tokens) if _BOXABLE.search(token)), None)


def _tagged(text: str) -> str | None:
    held = [match["held"] for match in _TAGGED.finditer(text)]
    held = [_unboxed(inner) for inner in held if not _SPOKEN_OF.fullmatch(inner)]
    return next((inner for inner in reversed(held) if inner.strip()), "" if held else None)


def _unboxed(text: str) -> str:
    """What a box holds if the text is nothing else; else the text."""
    shown = bare(text)
    opening = _BOX_OR_BRACE.match(shown)
    if opening is None or not opening["box"]:
        alone = _UNBRACED.fullmatch(shown) is not None
    else:
        alone = (opening.end(), len(shown) - 1) in _braced(shown)
    return (boxed(shown) or "") if alone else text


def _braced(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the content of each closed box."""
    open_braces: list[re.Match[str]] = []
    for match in _BOX_OR_BRACE.finditer(text):
        if match.group() != "}":
            open_braces.append(match)
        elif open_braces:
            opening = open_braces.pop()
            if opening["box"]:
                yield opening.end(), match.start()


_Rank: TypeAlias = tuple[bool, bool, int]
"""Whether a line can be an answer, whether it states one, and where its marker begins."""


def _after_hashes(text: str, holds: Callable[[str], object]) -> Iterator[tuple[_Rank, str]]:
    """The last line after `####` that can be an answer, if any."""
    for match in reversed(list(_HASHES.finditer(text))):
        if holds(line := _line(text, match.end(), len(text))):
            yield (True, True, match.start("marker")), line
            return


def _after_said(text: str, holds: Callable[[str], object]) -> Iterator[tuple[_Rank, str]]:
    """The lines after "answer is", from the last back to one that no earlier line can outrank.

    Each ends before the next marker, so that their total length is at most that of the text.
    """
    end = len(text)
    for match in reversed(list(_SAID.finditer(text))):
        begin = match.start("marker")
        # The line ends where the sentence of the next marker begins.
        reach = max(match.end(), end - _BEFORE_MARKER)
        sentence = last_match(_SENTENCE, text[reach:end]) if end < len(text) else None
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
    """The first non-empty line between two positions.

    It is matched in place: slicing for each of many markers would take quadratic time.
    """
    first = _FIRST_LINE.match(text, begin, end)
    return bare(first["line"] if first else "")


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for match in pattern.finditer(text):
        last = match
    return last


def without_text_commands(text: str) -> str:
    """A text without LaTeX's commands for text in formulas.

    >>> without_text_commands(r"\\text{New} \\mbox{York}")
    'New York'
    """
    return _TEXT_COMMAND.sub(r"\1", text)


def bare(text: str) -> str:
    """The text without decoration that is not part of an answer.

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
