"""From the columns of a log to one row per time.

A trainer may write its metrics in one row, alternately, or all of one metric before the next. So
whether time steps back is decided within each column, never across columns.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Measured:
    """One value of a column, with its time, and the index and place of its entry in the log."""

    t: float
    value: float
    entry: int
    where: str


def join(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[float, dict[str, float]]:
    """The values at each time by column, in order of time.

    **Arguments:**

    - `columns`: the values of each column, in file order. Where the time of a column steps back and
        earlier times are written again, the new values replace the old ones from that time on;
        where it steps back otherwise, the column is sorted; if all columns run backwards, the log
        is read from its end.
    - `notes`: a sentence is appended for each of these, and for times that are given twice.
    """
    return _by_time(_in_time_order(_oldest_first(columns, notes), notes), notes)


def _oldest_first(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> Mapping[str, Sequence[Measured]]:
    """The columns unchanged, or reversed if time falls in them and rises in none."""
    pairs = [pair for values in columns.values() for pair in itertools.pairwise(values)]
    rises = any(before.t < after.t for before, after in pairs)
    if rises or not any(before.t > after.t for before, after in pairs):
        return columns
    notes.append("the newest rows come first: the log was read from its end")
    return {column: values[::-1] for column, values in columns.items()}


def _in_time_order(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[str, list[Measured]]:
    """Each column sorted by time, without the values that a resumed run replaced."""
    kept: dict[str, list[Measured]] = {}
    unsorted = False
    # Keyed by the entry that steps back, so that columns of one row share a sentence.
    steps_back: dict[int, _StepBack] = {}
    for column, values in columns.items():
        stretches = _stretches(values)
        if len(stretches) > 1 and not _all_restart(stretches):
            unsorted = True
            kept[column] = sorted(values, key=lambda value: value.t)
        else:
            kept[column] = _without_stale(stretches, steps_back)
    if unsorted:
        notes.append("the rows are not in order of time: they were sorted")
    notes += [steps_back[entry].says() for entry in sorted(steps_back)]
    return kept


@dataclasses.dataclass
class _StepBack:
    """Where a resumed run begins, the entries it replaces, and those that get no new value."""

    begins: Measured
    replaced: set[int] = dataclasses.field(default_factory=set)
    lost: set[int] = dataclasses.field(default_factory=set)

    def says(self) -> str:
        """The sentence for the notes."""
        lost = f", {len(self.lost)} of them at times without a later value" if self.lost else ""
        return (
            f"time steps back to {self.begins.t:g} at {self.begins.where} (a resumed run?): "
            f"{len(self.replaced)} earlier rows were replaced{lost}"
        )


def _stretches(values: Sequence[Measured]) -> list[list[Measured]]:
    """The values in file order, cut where time steps back."""
    found: list[list[Measured]] = []
    for value in values:
        if found and value.t >= found[-1][-1].t:
            found[-1].append(value)
        else:
            found.append([value])
    return found


def _all_restart(stretches: Sequence[Sequence[Measured]]) -> bool:
    """Whether every stretch but the first writes an earlier time again, as a resumed run does.

    Rows that are sorted as text, or unsorted, step back to times that occur nowhere else: dropping
    the values beyond them would lose measurements that nothing replaces.
    """
    seen: set[float] = set()
    for stretch in stretches:
        times = {value.t for value in stretch}
        if seen and seen.isdisjoint(times):
            return False
        seen |= times
    return True


def _without_stale(
    stretches: Sequence[Sequence[Measured]], steps_back: dict[int, _StepBack]
) -> list[Measured]:
    """The values without those at or beyond the time from which a resumed run continued.

    They are dropped even where the resumed run has not come that far again: they measured weights
    that it discarded.
    """
    kept: list[Measured] = []
    dropped: list[tuple[_StepBack, Measured]] = []
    for stretch in stretches:
        begins = stretch[0]
        if kept and kept[-1].t > begins.t:
            step_back = steps_back.setdefault(begins.entry, _StepBack(begins))
            dropped += [(step_back, value) for value in kept if value.t >= begins.t]
            kept = [value for value in kept if value.t < begins.t]
        kept.extend(stretch)
    times = {value.t for value in kept}
    for step_back, value in dropped:
        step_back.replaced.add(value.entry)
        if value.t not in times:
            step_back.lost.add(value.entry)
    return kept


def _by_time(
    columns: Mapping[str, Sequence[Measured]], notes: list[str]
) -> dict[float, dict[str, float]]:
    """The values at each time; where a column has several, the last one counts."""
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
            f"{len(repeated)} times occur more than once, such as {first:g}: the last row counts"
        )
    return {t: rows[t] for t in sorted(rows)}
