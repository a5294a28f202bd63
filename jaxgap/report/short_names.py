"""Names of runs cut to fit a legend or a table, and still told apart."""

import itertools
import re
from collections.abc import Sequence


def shortened(name: str, most: int) -> str:
    """A name shortened to its two ends if it is longer than `most`.

    >>> shortened("a-very-long-name", 10)
    'a-ver…name'
    """
    half = most // 2
    return name if len(name) <= most else f"{name[:half]}…{name[half + 1 - most :]}"


def shortened_apart(names: Sequence[str], most: int) -> list[str]:
    """Names shortened to at most `most` characters, such that different names stay different.

    Common prefixes and suffixes are removed first; names that are still ambiguous keep the part in
    which they differ, and if that is not enough they are numbered.

    >>> shortened_apart(["published_a_long_name_solver", "published_b_solver"], 12)
    ['a_long_name', 'b']
    >>> shortened_apart(["short_solver", "brief_solver"], 12)
    ['short_solver', 'brief_solver']
    """
    if all(len(name) <= most for name in names):
        return list(names)
    parts = [re.findall(r"[^\W_]+|[\W_]+", name) for name in names]
    if len(set(names)) > 1:
        before, after = _num_shared(parts), _num_shared([part[::-1] for part in parts])
        parts = [part[before : len(part) - after] or part for part in parts]
    stripped = ["".join(part).strip(" _-:") for part in parts]
    stripped = [short or name for short, name in zip(stripped, names, strict=True)]
    if len(set(stripped)) < len(set(names)):
        stripped = list(names)
    label_of = {name: _shortened_beside(name, stripped, most) for name in dict.fromkeys(stripped)}
    taken: dict[str, list[str]] = {}
    for name, label in label_of.items():
        taken.setdefault(label, []).append(name)
    for label, alike in taken.items():
        for number, name in enumerate(alike, 1):
            if len(alike) > 1:
                label_of[name] = f"{shortened(label, most - 4)} ({number})"
    return [label_of[name] for name in stripped]


def _num_shared(parts: Sequence[Sequence[str]]) -> int:
    """The length of the common prefix in parts (or letters); less than that of any sequence."""
    shared = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*parts, strict=False))
    return min(sum(1 for _ in shared), min(map(len, parts)) - 1)


def _shortened_beside(name: str, names: Sequence[str], most: int) -> str:
    """A name shortened so that it differs from names with the same plain shortening."""
    short = shortened(name, most)
    alike = [other for other in names if other != name and shortened(other, most) == short]
    if not alike:
        return short
    # The first letter in which it differs from one of them is near the middle of the kept part.
    differs = min(_num_shared([name, other]) for other in alike)
    head, tail = most // 4, most // 4
    kept = most - head - tail - 2
    start = min(max(head, differs - kept // 4), len(name) - tail - kept)
    return f"{name[:head]}…{name[start : start + kept]}…{name[-tail:]}"
