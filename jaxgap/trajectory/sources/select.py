"""From a foreign log to a trajectory: pick the columns, join the rows, and report what was done."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgap.trajectory.extras import misspelt
from jaxgap.trajectory.metadata import with_given, with_notes
from jaxgap.trajectory.outside import is_missing, parse_number
from jaxgap.trajectory.percent import looks_like_percent
from jaxgap.trajectory.percent_signs import errors_beside_percent, points_to_fractions
from jaxgap.trajectory.reading_notes import irregular_times
from jaxgap.trajectory.record import (
    CAPABILITIES,
    MIN_ROWS,
    TIME_UNITS,
    Trajectory,
    TrajectoryError,
    in_singular,
)
from jaxgap.trajectory.rows import CORE_COLUMNS, built, own_columns
from jaxgap.trajectory.sources.join import Measured, join
from jaxgap.trajectory.sources.log import Entry, Log
from jaxgap.trajectory.sources.one_run import check_one_run


def select(log: Log, columns: Mapping[str, str], **metadata: Any) -> Trajectory:
    """The trajectory in the given columns of a log.

    Rows with the same time are joined. Where the time of a column steps back and earlier times are
    written again, as after resuming from a checkpoint, the new values replace the old ones from
    that time on; other columns out of order are sorted by time, and a log with the newest row first
    is read from its end. Values that are NaN, infinite or marked as missing (`#N/A`, `-`) count as
    not measured. Accuracies in percent become fractions, and so do standard errors beside a series
    with percent signs that have none and are too large for fractions. Each of these, and irregular
    times, adds a sentence to `provenance["notes"]`, and so do columns with jaxgap's own names that
    are left out.

    **Arguments:**

    - `log`: the log of one run.
    - `columns`: the log's name for each column of the trajectory: `t` (if it is not the log's
        customary clock), `solver`, and optionally `verifier`, `solver_se`, `verifier_se` and
        extra measurements. The part of a column's name after " - " is enough if it is unique, as in
        exports of W&B.
    - `metadata`: as for :class:`Trajectory`, overriding the log's. If neither states the time unit,
        it follows from the clock's name, if that is a common one (step, epochs, tokens).

    **Raises:** `TrajectoryError` naming the file, the row and the column.
    """
    names = {column: _found(log, name) for column, name in _with_clock(log, columns).items()}
    for name in names.values():
        if name in log.doubtful:
            raise TrajectoryError(log.doubtful[name])
    metadata = _time_unit(names["t"]) | with_given(log.metadata, metadata)
    notes: list[str] = []
    measured = _measured(log.entries, names, notes)
    check_one_run(log, measured["solver"], names.values())
    rows = _complete(join(measured, notes), names, log, notes)
    table = {
        column: np.array([row.get(column, np.nan) for row in rows.values()]) for column in names
    }
    table["t"] = np.array(list(rows))
    signed = {column for column, name in names.items() if name in log.percent}
    if metadata.get("kind") == "accuracy":
        _to_fractions(table, names, signed, log, notes)
    kind = metadata.get("kind", "uncertainty")
    divided, remarks = errors_beside_percent(table, signed, names, log.source, kind)
    table |= divided
    notes += remarks
    notes += irregular_times(table["t"])
    notes += misspelt(columns) + _not_read(log, names)
    given = {"source": log.source} | dict(metadata.pop("provenance", None) or {})
    metadata["provenance"] = with_notes(given, notes)
    try:
        return built(table, metadata)
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


def _time_unit(clock: str) -> dict[str, str]:
    """The time unit implied by a clock's name, as metadata; empty if it implies none.

    >>> _time_unit("train/global_step"), _time_unit("Tokens"), _time_unit("lr")
    ({'time_unit': 'step'}, {'time_unit': 'token'}, {})
    """
    word = clock.split("/")[-1].strip().lower().removeprefix("global").strip("_ ")
    unit = in_singular(word)
    return {"time_unit": unit} if unit in TIME_UNITS else {}


def _found(log: Log, name: str) -> str:
    """The log's full name for `name`."""
    if name in log.names:
        return name
    ends = [full for full in log.names if full.endswith(f" - {name}")]
    if len(ends) == 1:
        return ends[0]
    if name in log.header:
        raise TrajectoryError(f"{log.source}: column '{name}' has no values")
    what = f"no column '{name}'" if not ends else f"several columns end in '{name}'"
    known = ", ".join(ends or log.names) or "none"
    hint = "; name one of them in full, or read all with jaxgap compare" if ends else ""
    raise TrajectoryError(f"{log.source}: {what}; there are {known[:300]}{hint}")


def _not_read(log: Log, names: Mapping[str, str]) -> list[str]:
    """A sentence about the columns with jaxgap's own names that are left out; empty if none is."""
    own = own_columns(log.names)
    left = [own[name] for name in CAPABILITIES if name in own and name not in names]
    left = [f"'{name}'" for name in left if name not in names.values()]
    if not left:
        return []
    are = "is" if len(left) == 1 else "are"
    return [f"{', '.join(left)} {are} in the file but not named in `columns`: not read"]


def _measured(
    entries: Sequence[Entry], names: Mapping[str, str], notes: list[str]
) -> dict[str, list[Measured]]:
    """The values of each requested column in the entries that have a time, in file order."""
    found: dict[str, list[Measured]] = {column: [] for column in names if column != "t"}
    dropped = dict.fromkeys(names, 0)
    for index, entry in enumerate(entries):
        values = {}
        for column, name in names.items():
            if name not in entry.values:
                continue
            value = _number(entry, name)
            if value is None:
                dropped[column] += 1
            else:
                values[column] = value
        t = values.pop("t", None)
        if t is not None:
            for column, value in values.items():
                found[column].append(Measured(t, value, index, entry.where))
    notes += [
        f"{count} values of '{names[column]}' are not finite and count as not measured"
        for column, count in dropped.items()
        if count
    ]
    return found


def _number(entry: Entry, name: str) -> float | None:
    """A number of an entry; `None` if it is not finite."""
    value = entry.values[name]
    if isinstance(value, str):
        if is_missing(value):
            return None
        return parse_number(value, f"{entry.where}: column '{name}'")
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _complete(
    rows: dict[float, dict[str, float]], names: Mapping[str, str], log: Log, notes: list[str]
) -> dict[float, dict[str, float]]:
    """The times at which every column that the fit needs has a value."""
    needed = [column for column in CORE_COLUMNS if column in names and column != "t"]
    complete = {t: row for t, row in rows.items() if all(column in row for column in needed)}
    if len(complete) < MIN_ROWS:
        raise TrajectoryError(
            f"{log.source}: only {len(complete)} rows have all of "
            f"{', '.join(names[column] for column in ['t', *needed])}; "
            f"at least {MIN_ROWS} are needed"
        )
    partial = sum("solver" in row for row in rows.values()) - len(complete)
    if partial:
        notes.append(
            f"{partial} rows with a solver value but not all other columns were left out; "
            "with the solver's column alone they would be kept"
        )
    return complete


def _to_fractions(
    table: dict[str, np.ndarray],
    names: Mapping[str, str],
    signed: Collection[str],
    log: Log,
    notes: list[str],
) -> None:
    """Divide percentages by 100, if solver and verifier can both be percentages.

    Columns that had percent signs (`signed`) are fractions already.
    """
    known = ("solver", "verifier")
    capabilities = [column for column in known if column in table and column not in signed]
    percent = [column for column in capabilities if looks_like_percent(table[column])]
    if not percent:
        return
    for column in capabilities:
        if column not in percent and not _may_be_percent(column, table):
            raise TrajectoryError(
                f"{log.source}: '{names[percent[0]]}' looks like percent and '{names[column]}' "
                "does not: give both in one unit; if both are percentages, divide both by 100"
            )
    small = [value for column in percent for value in table[column] if 0 < value < 1]
    for column in capabilities:
        table |= points_to_fractions(table, column, signed, names, log.source)
    with_it = [f", '{names[column]}' with it" for column in capabilities if column != percent[0]]
    below = (
        f"; so were {len(small)} values below 1 (the largest {max(small):g}): if those are "
        "fractions, multiply them by 100 in the file"
        if small
        else ""
    )
    notes.append(
        f"'{names[percent[0]]}' looks like percent and was divided by 100{''.join(with_it)}{below}"
    )


def _may_be_percent(column: str, table: Mapping[str, np.ndarray]) -> bool:
    """Whether a capability that does not look like percent can be, given one that does.

    A series whose values are all at most 1 is a fraction, unless that would put the solver ahead of
    its verifier: then both are percentages, the solver's below 1 %.
    """
    values = table[column]
    if values.min() < 0 or values.max() > 100:
        return False
    if not 0 < values.max() <= 1:
        return True
    return column == "solver" and bool(np.median(values) > np.median(table["verifier"]) / 100)
