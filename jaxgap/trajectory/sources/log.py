"""What a foreign log is, whatever its format: entries in file order, each a few named values."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Entry:
    """One logged row: where it stands (`FILE:LINE`), and its values as they were written."""

    where: str
    values: Mapping[str, str | float]


@dataclasses.dataclass(frozen=True)
class Log:
    """A whole log: its file, the name of its clock if it has a customary one, and its entries."""

    source: str
    clock: str | None
    entries: tuple[Entry, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that has a value somewhere, in order of appearance."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.values))
