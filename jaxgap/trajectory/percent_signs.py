"""The unit of standard errors beside a series with percent signs, or in percent without them.

Errors in points taken for fractions, or fractions for points, are wrong a hundredfold: where the
numbers do not tell which they are, they are refused.
"""

from collections.abc import Collection, Mapping

import numpy as np

from jaxgap.trajectory.record import LARGEST_ERROR, Kind, Series, TrajectoryError

# Errors in points that need more test items are fractions: read as points, those of any accuracy
# over more than ten items seem to need more.
_MOST_ITEMS = 1e5


def errors_beside_percent(
    table: Mapping[str, Series],
    signed: Collection[str],
    names: Mapping[str, str],
    source: str,
    kind: Kind,
) -> tuple[dict[str, Series], list[str]]:
    """The standard errors that have to be divided by 100, divided, and a note for each.

    **Arguments:**

    - `table`: the columns by jaxgap's names, each of shape `(T,)`.
    - `signed`: those that had percent signs, and are fractions by now.
    - `names`: what the file calls the columns.
    - `source`: the file, for messages.
    - `kind`: what the series are.

    **Returns:** new columns by jaxgap's names, and the notes; both empty if there is no doubt.

    **Raises:** `TrajectoryError` where the errors could be points or fractions: unless they are all
    zero, or most are above one half, which no fraction can be. Also for errors with the signs
    beside uncertainties without them, which are in nats.
    """
    divided: dict[str, Series] = {}
    notes = []
    for series in ("solver", "verifier"):
        column = f"{series}_se"
        if kind == "uncertainty" and column in signed and series not in signed:
            raise TrajectoryError(
                f"{source}: '{names[column]}' has percent signs and '{names[series]}' does not: "
                "give the errors in nats, or kind='accuracy' if these are accuracies"
            )
        doubtful = series in signed and column in table and column not in signed
        if not doubtful or not np.any(table[column]):
            continue
        beside = f"'{names[column]}' has no percent signs and '{names[series]}' has them"
        if np.mean(table[column] > LARGEST_ERROR) <= 0.5:
            raise TrajectoryError(
                f"{source}: {beside}: are the errors points or fractions? "
                "Give both with the signs, or both as fractions"
            )
        divided[column] = table[column] / 100
        notes.append(f"{beside}: the errors, too large for fractions, were divided by 100")
    return divided, notes


def points_to_fractions(
    table: Mapping[str, Series],
    series: str,
    signed: Collection[str],
    names: Mapping[str, str],
    source: str,
) -> dict[str, Series]:
    """A series of bare percentages as fractions, and so its standard errors without signs.

    **Arguments:**

    - `series`: `"solver"` or `"verifier"`; the others as for :func:`errors_beside_percent`.

    **Returns:** the new columns by jaxgap's names.

    **Raises:** `TrajectoryError` if most errors are so small that they must be fractions: as points
    they would need more than a hundred thousand test items.
    """
    accuracies, column = table[series] / 100, f"{series}_se"
    if column not in table or column in signed:
        return {series: accuracies}
    errors = table[column] / 100
    too_small = errors < np.sqrt(accuracies * (1 - accuracies) / _MOST_ITEMS)
    if np.any(errors > 0) and np.mean(too_small[errors > 0]) > 0.5:
        raise TrajectoryError(
            f"{source}: '{names[series]}' is in percent, and '{names[column]}' is too small for "
            "errors in points: are they fractions? "
            "Give both as fractions, or both with percent signs"
        )
    return {series: accuracies, column: errors}
