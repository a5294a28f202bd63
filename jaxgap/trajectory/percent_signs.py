"""Standard errors without percent signs beside a series that has them.

The signs say that the series is in percent. Its errors without them may be points or fractions, and
the wrong choice would be wrong a hundredfold.
"""

from collections.abc import Collection, Mapping

import numpy as np

from jaxgap.trajectory.record import Series, TrajectoryError

# No mean of values in [0, 1] has a larger standard error.
_LARGEST_FRACTION = 0.5


def errors_beside_percent(
    table: Mapping[str, Series], signed: Collection[str], names: Mapping[str, str], source: str
) -> tuple[dict[str, Series], list[str]]:
    """The standard errors that have to be divided by 100, divided, and a note for each.

    **Arguments:**

    - `table`: the columns by jaxgap's names, each of shape `(T,)`.
    - `signed`: those that had percent signs, and are fractions by now.
    - `names`: what the file calls the columns.
    - `source`: the file, for messages.

    **Returns:** new columns by jaxgap's names, and the notes; both empty if there is no doubt.

    **Raises:** `TrajectoryError` where the errors could be points or fractions: unless they are all
    zero, or most are above one half, which no fraction can be.
    """
    divided: dict[str, Series] = {}
    notes = []
    for series in ("solver", "verifier"):
        column = f"{series}_se"
        doubtful = series in signed and column in table and column not in signed
        if not doubtful or not np.any(table[column]):
            continue
        beside = f"'{names[column]}' has no percent signs and '{names[series]}' has them"
        if np.median(table[column]) <= _LARGEST_FRACTION:
            raise TrajectoryError(
                f"{source}: {beside}: are the errors points or fractions? "
                "Give both with the signs, or both as fractions"
            )
        divided[column] = table[column] / 100
        notes.append(f"{beside}: the errors, too large for fractions, were divided by 100")
    return divided, notes
