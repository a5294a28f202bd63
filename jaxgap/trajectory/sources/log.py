"""A foreign log, whatever its format: entries in file order, each with a few named values."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxgap.trajectory.record import MIN_ROWS
from jaxgap.trajectory.run_columns import RUNS, SEED, named, names_runs

# What trainers call the time of an entry.
CLOCKS = ("step", "global_step", "_step", "epoch", "round", "iteration", "t")
# The name in messages for the run of entries that name none, where others do.
UNNAMED = "(without a name)"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One logged row: its place (`FILE:LINE`), and its values as written.

    `labels` are fields of text that cannot be read as values, but may tell rows apart.
    """

    where: str
    values: Mapping[str, str | float]
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Log:
    """A whole log.

    - `source`: its file.
    - `clock`: the name of its time column, if it has a customary one.
    - `entries`: in file order.
    - `metadata`: `kind`, `num_items`, `time_unit` and `provenance`, as far as the file states them.
    - `percent`: the columns that had percent signs, and are fractions by now.
    - `doubtful`: the columns that can be read in two ways, each with a message.
    - `header`: the names of a table's columns, also those without a value.
    """

    source: str
    clock: str | None
    entries: tuple[Entry, ...]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    percent: frozenset[str] = frozenset()
    doubtful: Mapping[str, str] = dataclasses.field(default_factory=dict)
    header: tuple[str, ...] = ()

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Every name that has a value somewhere, in order of appearance."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.values))

    def only(self, names: Iterable[str]) -> "Log":
        """The log with only the named columns."""
        kept = tuple(dict.fromkeys(names))
        entries = (
            dataclasses.replace(
                entry, values={name: entry.values[name] for name in kept if name in entry.values}
            )
            for entry in self.entries
        )
        return dataclasses.replace(self, entries=tuple(entries))

    def by_run(self, clock: str | None = None) -> dict[str, "Log"]:
        """The entries of each run as a separate log, in order of appearance.

        A column `run` (or `run_name`, `run_id`), or `seed`, distinguishes runs if two of its values
        have enough times for a run each, or if one has and every entry with a time has a value. So
        a line of settings at the start, a summary line at the end, or a sampling seed that differs
        from row to row creates no runs. A log without such a column is one run without a name; in a
        log with one, entries without a time belong to no run.

        `clock` is the name of the time column, if not the customary one.
        """
        clock = clock or self.clock
        timed = [entry for entry in self.entries if clock is None or clock in entry.values]
        telling = [name for name in self.names if names_runs(name) and _tells(name, timed, clock)]
        columns = tuple(filter(None, (named(telling, RUNS), named(telling, (SEED,)))))
        if not columns:
            return {"": self}
        entries: dict[str, list[Entry]] = {}
        for entry in timed:
            entries.setdefault(_run_of(entry, columns), []).append(entry)
        return {
            name: dataclasses.replace(self, entries=tuple(own)) for name, own in entries.items()
        }


def _tells(column: str, timed: Sequence[Entry], clock: str | None) -> bool:
    """Whether a column distinguishes the runs of the entries that have a time."""
    times: dict[str, set[str | float]] = {}
    for entry in timed:
        time = entry.where if clock is None else entry.values[clock]
        times.setdefault(_text(entry, column), set()).add(time)
    num_long = sum(len(own) >= MIN_ROWS for value, own in times.items() if value)
    return num_long > 1 or (num_long == 1 and "" not in times)


def _run_of(entry: Entry, columns: Sequence[str]) -> str:
    """The name of an entry's run: `NAME`, `seedN` or `NAME_seedN`."""
    parts = []
    for column in columns:
        value = _text(entry, column)
        parts.append(f"seed{value}" if value and column.lower() == SEED else value)
    return "_".join(filter(None, parts))


def _text(entry: Entry, column: str) -> str:
    return f"{entry.values.get(column, '')}".strip()


def numbers_of(fields: Mapping[str, Any]) -> dict[str, float]:
    """The fields of a JSON object that are numbers."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
