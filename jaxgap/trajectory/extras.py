"""Extra columns whose names suggest that they may be more than an extra measurement."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jaxgap.trajectory.metadata import with_notes
from jaxgap.trajectory.record import CAPABILITIES, Series

NUM_ITEMS = "num_items"
_TIMES = ("t", "time", "times")
# What other tools call the spread of a series; only standard errors weight a fit.
_ERRORS = re.compile(
    r"(solver|verifier)[ _.-]*"
    r"(sem|sd|std|std[ _]?dev|stdev|(std)?[ _]?err(or)?|standard[ _](error|deviation))s?",
    re.IGNORECASE,
)
_ENDS = re.compile(r"(?:[ _.-]|r)se$", re.IGNORECASE)
# The `difflib` ratio from which one name may be a misspelling of another.
_CLOSE = 0.85


def with_num_items(
    extra: Mapping[str, Series], metadata: Mapping[str, Any]
) -> tuple[dict[str, Series], dict[str, Any]]:
    """The extra columns and the metadata, with the number of test items taken from its column.

    For accuracies, a column `num_items` with the same integer in all rows gives the number, unless
    the metadata do. Otherwise it stays an extra column, and a note says so.

    **Arguments:**

    - `extra`: columns by name, each of shape `(T,)`.
    - `metadata`: as for :class:`Trajectory`.

    >>> import numpy as np
    >>> column = {"num_items": np.array([100.0, 100.0, 100.0])}
    >>> with_num_items(column, {"kind": "accuracy"})
    ({}, {'kind': 'accuracy', 'num_items': 100})
    """
    if NUM_ITEMS not in extra or NUM_ITEMS in metadata or not len(extra[NUM_ITEMS]):
        return dict(extra), dict(metadata)
    values = extra[NUM_ITEMS]
    same = bool((values == values[0]).all()) and values[0] >= 1 and float(values[0]).is_integer()
    if same and metadata.get("kind") == "accuracy":
        rest = {name: each for name, each in extra.items() if name != NUM_ITEMS}
        return rest, {**metadata, NUM_ITEMS: int(values[0])}
    why = "counts only with kind='accuracy'" if same else "is not one whole number in all rows"
    note = f"the column 'num_items' is an extra measurement, as it {why}"
    note += "" if same else "; if the number is known, give `num_items`"
    provenance = with_notes(metadata.get("provenance") or {}, [note])
    return dict(extra), {**metadata, "provenance": provenance}


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence about each extra column that seems to be a missing column by another name.

    A name of standard errors may be that of standard deviations, so no name is suggested for it.

    >>> misspelt(["t", "solver", "verfier"])
    ["'verfier' is read as an extra measurement: is 'verifier' meant?"]
    >>> misspelt(["t", "solver", "Solver_SD"])[0].partition(": ")[2]
    "standard errors weight the fit only if the column is called 'solver_se'"
    >>> misspelt(["solver", "verifier", "verifier2", "accuracy"])
    []
    """
    given = list(names)
    absent = [name for name in CAPABILITIES if name not in given]
    found = []
    for name in given:
        if name in ("t", *CAPABILITIES):
            continue
        errors = _ERRORS.fullmatch(name)
        if errors:
            column = f"{errors[1].lower()}_se"
            if column in absent:
                found.append(
                    f"'{name}' is read as an extra measurement: standard errors weight the fit "
                    f"only if the column is called '{column}'"
                )
            continue
        # `solver_ce` and `solver_mse` are no misspelt `solver_se`.
        wanted = [each for each in absent if not each.endswith("_se") or _ENDS.search(name)]
        near = difflib.get_close_matches(name.lower(), wanted, 1, _CLOSE)
        if "t" not in given and name.lower() in _TIMES:
            near = ["t"]
        found += [f"'{name}' is read as an extra measurement: is '{each}' meant?" for each in near]
    return found
