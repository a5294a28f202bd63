"""Ending completions at stop strings."""

from __future__ import annotations

from collections.abc import Sequence

from jaxgap.models import AbstractTokenizer


def before_stop(text: str, strings: Sequence[str]) -> str | None:
    """The text before its first stop string, None if there is none.

    >>> before_stop("So 4.\\nQ: 5+5?", ["Q:", "\\n"])
    'So 4.'
    """
    starts = [text.find(string) for string in strings]
    found = [start for start in starts if start >= 0]
    return text[: min(found)] if found else None


def tokens_to_stop(
    tokenizer: AbstractTokenizer, ids: Sequence[int], num_checked: int, strings: Sequence[str]
) -> int | None:
    """The number of tokens whose text is the first to contain a stop string, None if none does.

    **Arguments:**

    - `tokenizer`: turns ids into text; a stop string may begin and end within tokens.
    - `ids`: a completion so far.
    - `num_checked`: the first so many are known to contain no stop string.
    - `strings`: the stop strings.
    """

    def contains(text: str) -> bool:
        return before_stop(text, strings) is not None

    # Tokens of single bytes that form no character are replaced as a whole, and a newline among
    # them: fewer tokens may then show what more of them hide.
    text = tokenizer.decode(ids)
    if not contains(text) and "\N{REPLACEMENT CHARACTER}" not in text:
        return None
    lengths = range(num_checked + 1, len(ids) + 1)
    return next((length for length in lengths if contains(tokenizer.decode(ids[:length]))), None)
