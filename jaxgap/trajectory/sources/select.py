"""From a foreign log to a trajectory: pick the columns, join the rows, and say what was done."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgap.trajectory.outside import parse_number
from jaxgap.trajectory.record import MIN_ROWS, Trajectory, TrajectoryError
from jaxgap.trajectory.rows import CORE_COLUMNS
from jaxgap.trajectory.sources.log import Entry, Log

# Intervals between measurements that differ by more than this are worth a word.
_IRREGULAR = 1.5


def select(log: Log, columns: Mapping[str, str], **metadata: Any) -> Trajectory:
    """The trajectory in some columns of a log.

    Rows of the same time are joined. Where time steps back, as after a run resumed from a
    checkpoint, the later rows replace those they repeat. Accuracies in percent become fractions.
    Each of these, and irregular times, leaves a sentence in `provenance["notes"]`.

    **Arguments:**

    - `log`: the log.
    - `columns`: the log's name for each column of the trajectory: `t` (if it is not the log's
        customary clock), `solver`, and optionally `verifier`, `solver_se`, `verifier_se` and
        extra measurements. A name that ends a single column's name after " - ", as in the exports
        of W&B, is enough.
    - `metadata`: as for :class:`Trajectory`.

    **Raises:** `TrajectoryError` naming the file, the row and the column.
    """
    names = {column: _found(log, name) for column, name in _with_clock(log, columns).items()}
    notes: list[str] = []
    kept = _without_repeats(log.entries, names["t"], notes)
    rows = _complete(_joined(kept, names), names, log, notes)
    table = {
        column: np.array([row.get(column, np.nan) for row in rows.values()]) for column in names
    }
    table["t"] = np.array(list(rows))
    if metadata.get("kind") == "accuracy":
        _to_fractions(table, names, notes)
    _note_irregular(table["t"], notes)
    provenance = dict(metadata.pop("provenance", None) or {}) | {"source": log.source}
    if notes:
        provenance["notes"] = notes
    core = {column: table.pop(column) for column in CORE_COLUMNS if column in table}
    ts = core.pop("t")
    try:
        return Trajectory(ts, **core, extra=table, provenance=provenance, **metadata)
    except TrajectoryError as error:
        raise TrajectoryError(f"{log.source}: {error}") from error


def _with_clock(log: Log, columns: Mapping[str, str]) -> dict[str, str]:
    if "solver" not in columns:
        raise TrajectoryError(f"{log.source}: name the solver's column, as in solver=eval/nll")
    if "t" in columns:
        return dict(columns)
    if log.clock is None:
        raise TrajectoryError(f"{log.source}: name the column of times, as in t=step")
    return {"t": log.clock, **columns}


def _found(log: Log, name: str) -> str:
    """The log's full name for `name`."""
    if name in log.names:
        return name
    ends = [full for full in log.names if full.endswith(f" - {name}")]
    if len(ends) == 1:
        return ends[0]
    what = f"no column '{name}'" if not ends else f"several columns end in '{name}'"
    known = ", ".join(ends or log.names)
    raise TrajectoryError(f"{log.source}: {what}; there are {known[:300]}")


def _number(entry: Entry, name: str) -> float | None:
    value = entry.values.get(name)
    if value is None or isinstance(value, float | int):
        if value is not None and not np.isfinite(value):
            raise TrajectoryError(f"{entry.where}: column '{name}': must be finite, got {value}")
        return value
    return parse_number(value, f"{entry.where}: column '{name}'")


def _without_repeats(
    entries: Sequence[Entry], clock: str, notes: list[str]
) -> list[tuple[float, Entry]]:
    """The entries that have a time, less those that a resumed run wrote again."""
    kept: list[tuple[float, Entry]] = []
    for entry in entries:
        t = _number(entry, clock)
        if t is None:
            continue
        if kept and t < kept[-1][0]:
            before = len(kept)
            kept = [pair for pair in kept if pair[0] < t]
            notes.append(
                f"time steps back to {t:g} at {entry.where} (a resumed run?): "
                f"{before - len(kept)} earlier rows were replaced"
            )
        kept.append((t, entry))
    return kept


def _joined(
    entries: Sequence[tuple[float, Entry]], names: Mapping[str, str]
) -> dict[float, dict[str, float]]:
    """The values of each time; where one is given twice, the later counts."""
    rows: dict[float, dict[str, float]] = {}
    for t, entry in entries:
        row = rows.setdefault(t, {})
        for column, name in names.items():
            value = _number(entry, name)
            if value is not None:
                row[column] = value
    return rows


def _complete(
    rows: dict[float, dict[str, float]], names: Mapping[str, str], log: Log, notes: list[str]
) -> dict[float, dict[str, float]]:
    """The times at which every column that the fit needs has a value."""
    needed = [column for column in CORE_COLUMNS if column in names]
    complete = {t: row for t, row in rows.items() if all(column in row for column in needed)}
    if len(complete) < MIN_ROWS:
        raise TrajectoryError(
            f"{log.source}: only {len(complete)} rows have all of "
            f"{', '.join(names[column] for column in needed)}; at least {MIN_ROWS} are needed"
        )
    partial = sum("solver" in row for row in rows.values()) - len(complete)
    if partial:
        notes.append(f"{partial} rows with a solver value but not all other columns were left out")
    return complete


def _to_fractions(table: dict[str, np.ndarray], names: Mapping[str, str], notes: list[str]) -> None:
    """Divide percentages by 100, if any capability exceeds 1 and none exceeds 100."""
    capabilities = [table[column] for column in ("solver", "verifier") if column in table]
    highest = max(float(values.max()) for values in capabilities)
    if not 1 < highest <= 100:
        return
    for column in CORE_COLUMNS[1:]:
        if column in table:
            table[column] = table[column] / 100
    notes.append(f"'{names['solver']}' looks like percent and was divided by 100")


def _note_irregular(ts: np.ndarray, notes: list[str]) -> None:
    steps = np.diff(ts)
    if steps.max() > _IRREGULAR * steps.min():
        notes.append(f"times are irregular: steps from {steps.min():g} to {steps.max():g}")
