"""What a foreign log is, whatever its format: entries in file order, each a few named values."""

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from jaxgap.trajectory.record import MIN_ROWS

# What trainers call the time of an entry.
CLOCKS = ("step", "global_step", "_step", "epoch", "round", "iteration", "t")
_RUNS, _SEED = ("run", "run_name", "run_id"), "seed"
# What messages call the run of entries that name none, beside runs that have names.
UNNAMED = "(without a name)"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One logged row: where it stands (`FILE:LINE`), and its values as they were written."""

    where: str
    values: Mapping[str, str | float]


@dataclasses.dataclass(frozen=True)
class Log:
    """A whole log.

    - `source`: its file.
    - `clock`: the name of its clock, if it has a customary one.
    - `entries`: in file order.
    - `metadata`: what the file itself says of `kind`, `num_items`, `time_unit` and `provenance`.
    """

    source: str
    clock: str | None
    entries: tuple[Entry, ...]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Every name that has a value somewhere, in order of appearance."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.values))

    def only(self, names: Iterable[str]) -> "Log":
        """The log without all other columns."""
        kept = tuple(dict.fromkeys(names))
        entries = (
            Entry(entry.where, {name: entry.values[name] for name in kept if name in entry.values})
            for entry in self.entries
        )
        return dataclasses.replace(self, entries=tuple(entries))

    def by_run(self, clock: str | None = None) -> dict[str, "Log"]:
        """The entries of each run as a log of their own, in order of appearance.

        A column `run` (or `run_name`, `run_id`), or `seed`, tells runs apart if each of two values
        has enough times for a run, or if one has and every entry with a time has some value. So the
        line of settings that a log begins with, its last line, or a seed for sampling that differs
        from row to row, make no runs. A log without such a column is one run without a name; in a
        log with one, entries without a time belong to none.

        `clock` is the name of its times, if not the customary one.
        """
        clock = clock or self.clock
        timed = [entry for entry in self.entries if clock is None or clock in entry.values]
        telling = [name for name in self.names if names_runs(name) and _tells(name, timed, clock)]
        columns = tuple(filter(None, (named(telling, _RUNS), named(telling, (_SEED,)))))
        if not columns:
            return {"": self}
        entries: dict[str, list[Entry]] = {}
        for entry in timed:
            entries.setdefault(_run_of(entry, columns), []).append(entry)
        return {
            name: dataclasses.replace(self, entries=tuple(own)) for name, own in entries.items()
        }


def _tells(column: str, timed: Sequence[Entry], clock: str | None) -> bool:
    """Whether a column tells apart the runs of entries that have a time."""
    times: dict[str, set[str | float]] = {}
    for entry in timed:
        time = entry.where if clock is None else entry.values[clock]
        times.setdefault(_text(entry, column), set()).add(time)
    num_long = sum(len(own) >= MIN_ROWS for value, own in times.items() if value)
    return num_long > 1 or (num_long == 1 and "" not in times)


def _run_of(entry: Entry, columns: Sequence[str]) -> str:
    """What the run of an entry is called: `NAME`, `seedN` or `NAME_seedN`."""
    parts = []
    for column in columns:
        value = _text(entry, column)
        parts.append(f"seed{value}" if value and column.lower() == _SEED else value)
    return "_".join(filter(None, parts))


def _text(entry: Entry, column: str) -> str:
    return f"{entry.values.get(column, '')}".strip()


def named(names: Collection[str], known: Sequence[str]) -> str | None:
    """The first of the known names that is among the names, in whatever case that is written."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), None)


def names_runs(column: str) -> bool:
    """Whether a column is called as those are that say of which run a row is."""
    return column.lower() in (*_RUNS, _SEED)


def numbers_of(fields: Mapping[str, Any]) -> dict[str, float]:
    """The fields of a JSON object that are numbers."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
