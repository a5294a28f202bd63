"""JSON lines of another tool as a log: one object a line, of which the numbers count."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgap.trajectory.outside import parse_json, read_text, shown
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import CLOCKS, Entry, Log, named, numbers_of, run_columns_of


def read_jsonl_log(path: Path) -> Log:
    """The log in a file of JSON lines; `NaN`, which Python's own writer allows, is read.

    A field `run` (or `run_name`, `run_id`), or `seed`, says of which run a line is, if it stands in
    lines that have a time; in a line of settings it does not.

    **Raises:** `TrajectoryError` for a line that is no JSON object.
    """
    entries = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        found = parse_json(line, where, finite=False)
        if not isinstance(found, dict):
            raise TrajectoryError(f"{where}: must be a JSON object, got {shown(line)}")
        values = numbers_of(found) | _run_names(found)
        if values:
            entries.append(Entry(where, values))
    clock = named(_names(entries), CLOCKS)
    timed = [entry for entry in entries if clock is None or clock in entry.values]
    return Log(str(path), clock, tuple(entries), run_columns_of(_names(timed)))


def _names(entries: list[Entry]) -> dict[str, None]:
    """Every name that has a value, in order of appearance."""
    return dict.fromkeys(name for entry in entries for name in entry.values)


def _run_names(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that name a run in words."""
    return {name: fields[name] for name in run_columns_of(fields) if isinstance(fields[name], str)}
