"""JSON lines of another tool as a log: one object per line, of which the numbers are read.

Nested objects are groups of metrics: the number in `{"eval": {"acc": 0.4}}` is `eval/acc`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgap.trajectory.metadata import HEADER, checked_metadata
from jaxgap.trajectory.outside import json_objects
from jaxgap.trajectory.run_columns import named, names_runs
from jaxgap.trajectory.sources.log import CLOCKS, Entry, Log, numbers_of

# Deeper than any logger nests its metrics; a hostile file may nest thousands.
_DEPTH = 8


def read_jsonl_log(path: Path) -> Log:
    """The log in a file of JSON lines; `NaN`, which Python's own writer emits, is accepted.

    A first line with nothing but jaxgap's own metadata gives the log's metadata.

    **Raises:** `TrajectoryError` for a line that is not a JSON object, and for bad metadata.
    """
    entries: list[Entry] = []
    metadata: dict[str, Any] = {}
    for index, (number, found) in enumerate(json_objects(path, finite=False)):
        where = f"{path}:{number}"
        if index == 0 and list(found) == [HEADER]:
            metadata = checked_metadata(found[HEADER], where)
            continue
        texts = {name: value for name, value in found.items() if isinstance(value, str)}
        run_names = {name: text for name, text in texts.items() if names_runs(name)}
        values = _grouped(found) | run_names
        if values:
            entries.append(Entry(where, values, texts))
    names = dict.fromkeys(name for entry in entries for name in entry.values)
    return Log(str(path), named(names, CLOCKS), tuple(entries), metadata)


def _grouped(fields: Mapping[str, Any], depth: int = _DEPTH) -> dict[str, float]:
    """The numbers of an object and those nested in it, as `GROUP/NAME`; flat keys win."""
    within = {
        f"{group}/{name}": number
        for group, inner in fields.items()
        if isinstance(inner, dict) and depth > 0
        for name, number in _grouped(inner, depth - 1).items()
    }
    return within | numbers_of(fields)
