"""Records of published data sets: JSON lines, a JSON array, or a folder of JSON files.

Such files are untrusted: their size is checked before they are read, and every error is one line
with the file, the line and the field.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jaxgap.errors import InputError
from jaxgap.trajectory.outside import parse_json, read_text

MAX_BYTES = 512 * 2**20
"""The largest file that is read."""

MAX_FIELD_CHARACTERS = 100_000
"""The longest string allowed in a field."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Record:
    """One object of a file.

    **Fields:**

    - `where`: the file and the line or place, for messages.
    - `fields`: its fields by name.
    """

    where: str
    fields: dict[str, Any]

    def text(self, *names: str) -> str:
        """The string in the first of the fields `names` that the record has.

        **Raises:** `InputError` if it has none, or the value is not a non-empty string.
        """
        name = self._first(names)
        value = self.fields[name]
        if not isinstance(value, str) or not value.strip():
            self.refuse(name, f"must be a text, got {_shown(value)}")
        return self._bounded(name, value)

    def stated(self, name: str) -> str:
        """The string or number in a field, as a string.

        **Raises:** `InputError` if the record has no such field, or it is neither.
        """
        value = self.fields[self._first([name])]
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return str(value)
        if not isinstance(value, str):
            self.refuse(name, f"must be a text or a finite number, got {_shown(value)}")
        return self.text(name)

    def optional_text(self, name: str) -> str:
        """The string in a field; empty if the record has none.

        **Raises:** `InputError` if it is not a string.
        """
        value = self.fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(name, f"must be a text, got {_shown(value)}")
        return self._bounded(name, value)

    def texts(self, name: str, *, optional: bool = False) -> list[str]:
        """The list of strings in a field.

        **Raises:** `InputError` if it is anything else.
        """
        if optional and self.fields.get(name) is None:
            return []
        value = self.fields[self._first([name])]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(name, f"must be a list of texts, got {_shown(value)}")
        return [self._bounded(name, item) for item in value]

    def inner(self, name: str) -> Record:
        """The object in a field, as a record.

        **Raises:** `InputError` if it is anything else.
        """
        value = self.fields[self._first([name])]
        if not isinstance(value, dict):
            self.refuse(name, f"must be an object, got {_shown(value)}")
        return Record(f"{self.where}: {name}", value)

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise an error about a field.

        **Raises:** `InputError`, always.
        """
        raise InputError(f"{self.where}: field '{name}': {why}")

    def _first(self, names: Sequence[str]) -> str:
        for name in names:
            if name in self.fields:
                return name
        wanted = " or ".join(repr(name) for name in names)
        found = ", ".join(sorted(self.fields))[:200] or "no field"
        raise InputError(f"{self.where}: has no field {wanted}; it has {found}")

    def _bounded(self, name: str, value: str) -> str:
        if len(value) > MAX_FIELD_CHARACTERS:
            self.refuse(name, f"{len(value)} characters; at most {MAX_FIELD_CHARACTERS} are read")
        if _SURROGATE.search(value):
            self.refuse(name, "holds half of a pair of surrogates, which is no character")
        return value


def read_records(path: str | Path) -> list[Record]:
    """The records in a file or folder, in order.

    **Arguments:**

    - `path`: JSON lines (one object per line); a `*.json` file with one JSON array of objects or
        one JSON object of objects; or a folder, searched recursively, with a JSON object in each
        `*.json` file.

    **Raises:** `InputError` with the file and the line.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.rglob("*.json"))
        records = [_record(read_text(file, MAX_BYTES), str(file)) for file in files]
        if not records:
            raise InputError(f"{path}: the folder has no .json files")
        return records
    text = read_text(path, MAX_BYTES)
    if path.suffix == ".json" and not _is_lines(text):
        return list(_members(path, text))
    lines = enumerate(text.split("\n"), start=1)
    try:
        return [_record(line, f"{path}:{number}") for number, line in lines if line.strip()]
    except InputError as error:
        if text.lstrip().startswith("["):
            raise InputError(f"{error}: a JSON array needs a file named *.json") from None
        raise


def _is_lines(text: str) -> bool:
    """Whether the first line of a text is a JSON object, with more after it.

    Data set libraries write JSON lines to `*.json` files too.
    """
    first, _, rest = text.lstrip().partition("\n")
    if not first.startswith("{") or not rest.strip():
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _members(path: Path, text: str) -> Iterator[Record]:
    """The objects in one JSON array, or in one JSON object by name."""
    found = _parse(text, str(path))
    if not isinstance(found, list | dict):
        raise InputError(f"{path}: must be a JSON array or object of objects, got {_shown(found)}")
    members = found.items() if isinstance(found, dict) else enumerate(found)
    for name, member in members:
        where = f"{path}: {name}" if isinstance(found, dict) else f"{path}: item {name}"
        if not isinstance(member, dict):
            alone = isinstance(found, dict)
            hint = ": put a single record between [ and ]" if alone else ""
            raise InputError(f"{where}: must be a JSON object, got {_shown(member)}{hint}")
        yield Record(where, member)


def _record(text: str, where: str) -> Record:
    found = _parse(text, where)
    if not isinstance(found, dict):
        raise InputError(f"{where}: must be a JSON object, got {_shown(found)}")
    return Record(where, found)


def _parse(text: str, where: str) -> Any:
    """JSON without repeated keys. NaN is allowed: data sets have it in fields not read here."""
    return parse_json(text, where, finite=False)


def _shown(value: Any) -> str:
    """An untrusted value, shortened and without control characters."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
