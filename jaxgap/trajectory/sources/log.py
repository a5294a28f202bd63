"""What a foreign log is, whatever its format: entries in file order, each a few named values."""

import dataclasses
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

SEED = "seed"
# What trainers call the time of an entry.
CLOCKS = ("step", "global_step", "_step", "epoch", "round", "iteration", "t")
_RUNS = ("run", "run_name", "run_id")


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
    - `run_columns`: the columns that say of which run an entry is, where there are any.
    """

    source: str
    clock: str | None
    entries: tuple[Entry, ...]
    run_columns: tuple[str, ...] = ()

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

    def by_run(self) -> dict[str, "Log"]:
        """The entries of each run as a log of their own, in order of appearance.

        A log without a column that names runs is one run without a name. In a log with one, what
        has neither a run nor a time, such as a line of settings, belongs to none.
        """
        entries: dict[str, list[Entry]] = {}
        for entry in self.entries:
            name = self._run_of(entry)
            timed = self.clock is None or self.clock in entry.values
            if name or timed or not self.run_columns:
                entries.setdefault(name, []).append(entry)
        return {
            name: dataclasses.replace(self, entries=tuple(own), run_columns=())
            for name, own in entries.items()
        }

    def _run_of(self, entry: Entry) -> str:
        """What the run of an entry is called: `NAME`, `seedN` or `NAME_seedN`."""
        parts = []
        for column in self.run_columns:
            value = f"{entry.values.get(column, '')}".strip()
            parts.append(f"seed{value}" if value and column.lower() == SEED else value)
        return "_".join(filter(None, parts))


def named(names: Collection[str], known: Sequence[str]) -> str | None:
    """The first of the known names that is among the names, in whatever case that is written."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), None)


def run_columns_of(names: Collection[str]) -> tuple[str, ...]:
    """The columns that say of which run a row is: `run`, `run_name` or `run_id`, and `seed`."""
    return tuple(filter(None, (named(names, _RUNS), named(names, (SEED,)))))


def numbers_of(fields: Mapping[str, Any]) -> dict[str, float]:
    """The fields of a JSON object that are numbers."""
    return {
        name: value
        for name, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
