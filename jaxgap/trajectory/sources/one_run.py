"""Logs of several runs that no column called `run` or `seed` tells apart.

Read as one run, they would keep the last of them: the others would be taken for what a resumed run
replaces.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from jaxgap.errors import printable
from jaxgap.trajectory.outside import shown
from jaxgap.trajectory.record import MIN_ROWS, TrajectoryError
from jaxgap.trajectory.run_columns import names_runs
from jaxgap.trajectory.sources.join import Measured
from jaxgap.trajectory.sources.log import Log


def check_one_run(log: Log, measured: Sequence[Measured], used: Collection[str]) -> None:
    """Refuse a log whose times recur for each value of a column that is not used.

    A column tells the rows of recurring times apart if no time recurs among the rows of one value,
    and the values with rows enough for a run all begin at the first time, or every time recurs. A
    resumed run does neither, as it begins where it was saved.

    **Arguments:**

    - `log`: the log, which may be of one run.
    - `measured`: the values of one column that have a time, in file order.
    - `used`: the names of the columns that are read.

    **Raises:** `TrajectoryError` naming the column and its values.
    """
    if len({each.t for each in measured}) == len(measured):
        return
    entries = [log.entries[each.entry] for each in measured]
    described = [{**entry.labels, **entry.values} for entry in entries]
    for name in dict.fromkeys(described[0]):
        if name in used:
            continue
        values = [f"{fields.get(name, '')}".strip() for fields in described]
        if all(values) and _tells_apart(values, [each.t for each in measured]):
            distinct = list(dict.fromkeys(values))
            listed = printable(", ".join(distinct[:6]))[:100]
            raise TrajectoryError(
                f"{log.source}: the times recur for {len(distinct)} values of {shown(name)} "
                f"({listed}): if it tells runs apart, {_remedy(log)}, and jaxgap compare reads "
                "them all; otherwise name a time that rises from row to row, or keep the rows of "
                "one value"
            )


def _remedy(log: Log) -> str:
    used = next(filter(names_runs, log.names), None)
    return "rename it to 'run'" if used is None else f"put both it and '{used}' into '{used}'"


def _tells_apart(values: Sequence[str], times: Sequence[float]) -> bool:
    """Whether each value of a column has times of its own, among which none recurs."""
    of_value: dict[str, list[float]] = {}
    for value, t in zip(values, times, strict=True):
        of_value.setdefault(value, []).append(t)
    if any(len(set(own)) < len(own) for own in of_value.values()):
        return False
    runs = [own for own in of_value.values() if len(own) >= MIN_ROWS]
    if len(runs) < 2:
        return False
    begin_together = {min(own) for own in runs} == {min(times)}
    return begin_together or min(Counter(times).values()) > 1
