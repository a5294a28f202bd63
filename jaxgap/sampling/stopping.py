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
    """The number of tokens after which a stop string first appears, None if none does.

    **Arguments:**

    - `tokenizer`: turns ids into text; a stop string may begin and end within tokens.
    - `ids`: a completion so far.
    - `num_checked`: the first so many are known to contain no stop string.
    - `strings`: the stop strings.
    """
    if before_stop(tokenizer.decode(ids), strings) is None:
        return None
    for length in range(num_checked + 1, len(ids)):
        if before_stop(tokenizer.decode(ids[:length]), strings) is not None:
            return length
    return len(ids)
