"""The columns that tell the runs of one file apart, recognised by their names."""

from collections.abc import Collection, Sequence

RUNS, SEED = ("run", "run_name", "run_id"), "seed"


def named(names: Collection[str], known: Sequence[str]) -> str | None:
    """The first of the known names that is among the names, as spelt there; case is ignored.

    >>> named(["loss", "Run_ID"], RUNS)
    'Run_ID'
    """
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), None)


def names_runs(column: str) -> bool:
    """Whether a column has one of the names that identify a row's run."""
    return column.lower() in (*RUNS, SEED)
