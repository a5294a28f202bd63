"""From the columns of a log to one row a time.

A trainer writes its metrics in one row, in turn, or all of one before the first of another. So
whether time steps back is asked of each column by itself, never from one column to the next.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Measured:
    """One value of a column: its time, and the number of its entry in the log and its place."""

    t: float
    value: float
    entry: int
    where: str


def join(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[float, dict[str, float]]:
    """The values of each time by their columns, in order of time.

    **Arguments:**

    - `columns`: what was measured of each column, in file order. Where the time of a column steps
        back, its later values replace those they repeat; if all columns run backwards, the log is
        read from its end.
    - `notes`: gets a sentence for each of these, and for times that are given twice.
    """
    return _by_time(_without_repeats(_oldest_first(columns, notes), notes), notes)


def _oldest_first(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> Mapping[str, Sequence[Measured]]:
    """The columns as they are, or reversed if time falls in them and rises in none."""
    pairs = [pair for values in columns.values() for pair in itertools.pairwise(values)]
    rises = any(before.t < after.t for before, after in pairs)
    if rises or not any(before.t > after.t for before, after in pairs):
        return columns
    notes.append("the newest rows come first: the log was read from its end")
    return {column: values[::-1] for column, values in columns.items()}


def _without_repeats(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[str, list[Measured]]:
    """The columns, less what a resumed run wrote again."""
    kept: dict[str, list[Measured]] = {column: [] for column in columns}
    # By the entry that steps back, the entries replaced: columns of one row share a sentence.
    steps_back: dict[int, tuple[Measured, set[int]]] = {}
    for column, values in columns.items():
        stack = kept[column]
        for value in values:
            if stack and value.t < stack[-1].t:
                _, replaced = steps_back.setdefault(value.entry, (value, set()))
                while stack and stack[-1].t >= value.t:
                    replaced.add(stack.pop().entry)
            stack.append(value)
    notes += [
        f"time steps back to {value.t:g} at {value.where} (a resumed run?): "
        f"{len(replaced)} earlier rows were replaced"
        for _, (value, replaced) in sorted(steps_back.items())
    ]
    return kept


def _by_time(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[float, dict[str, float]]:
    """The values of each time; where a column has one twice, the later counts."""
    rows: dict[float, dict[str, float]] = {}
    repeated: set[float] = set()
    for column, values in columns.items():
        for value in values:
            row = rows.setdefault(value.t, {})
            if column in row:
                repeated.add(value.t)
            row[column] = value.value
    if repeated:
        first = min(repeated)
        notes.append(
            f"{len(repeated)} times are given twice, as {first:g} is: the later row counts"
        )
    return {t: rows[t] for t in sorted(rows)}
