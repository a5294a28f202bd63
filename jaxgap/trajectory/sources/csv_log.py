"""Any CSV table as a log: wide, as W&B exports it, or long, with one metric per row."""

from collections import Counter
from pathlib import Path

from jaxgap.trajectory.csv_file import read_sidecar
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.run_columns import named, names_runs
from jaxgap.trajectory.sources.log import CLOCKS, Entry, Log
from jaxgap.trajectory.table import read_table

_METRIC_NAMES = ("metric", "name", "key", "tag")


def read_csv_log(path: Path) -> Log:
    """The log in a CSV file.

    A table with a column `metric` (or `name`, `key`, `tag`) and a column `value` is long: each row
    gives one value of one metric. Every other table is wide. Columns without a name, such as the
    index that pandas writes, cannot be selected and are ignored. A sidecar, in the format of
    :func:`~jaxgap.trajectory.read_csv`, gives the log's metadata.

    **Raises:** `TrajectoryError` for a file that is not a CSV table, or an invalid sidecar.
    """
    table = read_table(path)
    doubtful = table.doubtful | {
        name: f"{path}:{table.line}: column '{name}' is given twice; rename one of them"
        for name, count in Counter(table.names).items()
        if count > 1
    }
    entries = [Entry(f"{path}:{line}", _values(table.names, cells)) for line, cells in table.rows]
    metric, value = named(table.names, _METRIC_NAMES), named(table.names, ("value",))
    read = (metric, value) if metric and value else ()
    for name, problem in doubtful.items():
        if names_runs(name) or name in read:
            raise TrajectoryError(problem)
    if metric and value:
        entries = [_wide(entry, metric, value) for entry in entries]
    clock = named(table.names, CLOCKS)
    return Log(
        str(path),
        clock,
        tuple(entries),
        read_sidecar(path),
        table.percent,
        doubtful,
        tuple(table.names),
    )


def _values(names: list[str], cells: list[str]) -> dict[str, str]:
    """The non-empty cells of a row, by column name."""
    row = zip(names, cells, strict=True)
    return {name: cell for name, cell in row if name and cell.strip()}


def _wide(entry: Entry, metric: str, value: str) -> Entry:
    """A long row as a wide one: the metric's name becomes a column of its own."""
    values = dict(entry.values)
    if metric not in values or value not in values:
        raise TrajectoryError(f"{entry.where}: a row needs both '{metric}' and '{value}'")
    name = str(values.pop(metric)).strip()
    return Entry(entry.where, values | {name: values.pop(value)})
