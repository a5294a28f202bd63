"""Any CSV table as a log: wide, as W&B exports it, or long, with one metric a row."""

from pathlib import Path

from jaxgap.trajectory.csv_file import read_sidecar
from jaxgap.trajectory.outside import read_text, repeated
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import CLOCKS, Entry, Log, named
from jaxgap.trajectory.table import check_width, table_rows

_METRIC_NAMES = ("metric", "name", "key", "tag")


def read_csv_log(path: Path) -> Log:
    """The log in a CSV file.

    A table with a column `metric` (or `name`, `key`, `tag`) and a column `value` is long: each row
    gives one value of one metric. Every other table is wide. A sidecar beside it, as
    :func:`~jaxgap.trajectory.read_csv` reads it, is the log's metadata.

    **Raises:** `TrajectoryError` for a file that is no CSV table, or a sidecar that is none.
    """
    header: list[str] = []
    entries = []
    for line, cells in table_rows(read_text(path), path):
        where = f"{path}:{line}"
        if not header:
            header = _checked_header(cells, where)
            continue
        check_width(cells, header, where)
        row = zip(header, cells, strict=True)
        entries.append(Entry(where, {name: cell for name, cell in row if cell.strip()}))
    metric, value = named(header, _METRIC_NAMES), named(header, ("value",))
    if metric and value:
        entries = [_wide(entry, metric, value) for entry in entries]
    return Log(str(path), named(header, CLOCKS), tuple(entries), read_sidecar(path))


def _checked_header(cells: list[str], where: str) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = repeated(header)
    if twice is not None:
        raise TrajectoryError(f"{where}: column '{twice}' is given twice")
    return header


def _wide(entry: Entry, metric: str, value: str) -> Entry:
    """A long row as a wide one: the metric's name becomes a column of its own."""
    values = dict(entry.values)
    if metric not in values or value not in values:
        raise TrajectoryError(f"{entry.where}: a row needs both '{metric}' and '{value}'")
    name = str(values.pop(metric)).strip()
    return Entry(entry.where, values | {name: values.pop(value)})
