"""The runs in one log: identified by a column, or by the names of the columns."""

from collections.abc import Container, Mapping

from jaxgap.trajectory.sources.log import Log


def split(log: Log, columns: Mapping[str, str]) -> dict[str, tuple[Log, Mapping[str, str]]]:
    """The runs of a log by name, each with its log and its names of the requested columns.

    A log of one run is that run, without a name. In a log whose columns are named `RUN - METRIC`,
    as W&B exports them, every run keeps its own columns, and the requested columns that have no run
    in their names.
    """
    runs = log.by_run(columns.get("t"))
    if len(runs) > 1:
        return {name: (own, columns) for name, own in runs.items()}
    known = set(log.names)
    suffix = f" - {columns.get('solver', '')}"
    own_names: dict[str, list[str]] = {
        name.removesuffix(suffix): [] for name in log.names if name.endswith(suffix)
    }
    if columns.get("solver") in known or len(own_names) < 2:
        return {"": (log, columns)}
    for name in log.names:
        run = _run_of(name, own_names)
        if run is not None:
            own_names[run].append(name)
    shared = [name for name in (log.clock, *columns.values()) if name in known]
    return {
        run: (log.only([*shared, *own]), _of_run(run, columns, known))
        for run, own in own_names.items()
    }


def _run_of(name: str, runs: Container[str]) -> str | None:
    """The run in a column's name; the longest, if several match."""
    run, dash, _ = name.rpartition(" - ")
    while dash and run not in runs:
        run, dash, _ = run.rpartition(" - ")
    return run if dash else None


def _of_run(run: str, columns: Mapping[str, str], known: Container[str]) -> dict[str, str]:
    """The requested columns, as the log names them for one run."""
    full = {column: f"{run} - {name}" for column, name in columns.items()}
    return {column: full[column] if full[column] in known else columns[column] for column in full}
