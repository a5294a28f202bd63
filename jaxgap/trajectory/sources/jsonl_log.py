"""JSON lines of another tool as a log: one object a line, of which the numbers count."""

from pathlib import Path

from jaxgap.trajectory.outside import parse_json, read_text, shown
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import CLOCKS, Entry, Log, numbers_of


def read_jsonl_log(path: Path) -> Log:
    """The log in a file of JSON lines; `NaN`, which Python's own writer allows, is read.

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
        entries.append(Entry(where, numbers_of(found)))
    names = {name for entry in entries for name in entry.values}
    clock = next((name for name in CLOCKS if name in names), None)
    return Log(str(path), clock, tuple(entries))
