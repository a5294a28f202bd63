"""What readers of results need to know about how a file was read: printed, never only recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxgap.errors import printable
from jaxgap.trajectory.extras import misspelt
from jaxgap.trajectory.metadata import with_notes
from jaxgap.trajectory.record import Series, Trajectory

# Steps between measurements that differ by more than this factor are reported.
_IRREGULAR = 1.5
# A series whose correlation with time is at least this rises.
_RISES = 0.5


def reading_notes(run: Trajectory) -> list[str]:
    """How the file was converted to this trajectory, and what is unusual about it.

    That is irregular times, extra measurements whose names are nearly those of other columns, and
    uncertainties below zero.
    Foreign logs leave their notes in `provenance["notes"]`; a provenance read from a file may
    contain anything there, of which only strings are used.

    >>> reading_notes(Trajectory([0, 1, 5], [3.0, 2.0, 1.0]))
    ['times are irregular: steps from 1 to 4']
    """
    recorded = run.provenance.get("notes")
    listed = recorded if isinstance(recorded, list) else []
    found = [printable(note) for note in listed if isinstance(note, str)]
    found += irregular_times(run.ts) + misspelt(["t", *run.columns()]) + negative(run)
    return list(dict.fromkeys(found))


def with_assumed_kind(run: Trajectory, metadata: Mapping[str, Any]) -> Trajectory:
    """The run with a note of the kind that was assumed, where its values could be of either kind.

    Rising numbers in the range of accuracies look like accuracies; others in [0, 1] without a
    verifier may be either. `metadata` is what the file and its reader state; if it has a `kind`,
    nothing was assumed.
    """
    if "kind" in metadata:
        return run
    notes = accuracy_like(run)
    in_unit = run.solver.min() >= 0 and run.solver.max() <= 1
    if not notes and in_unit and run.verifier is None:
        notes = [
            "no kind is given: the solver's values, all in [0, 1], are read as uncertainties in "
            "nats, where lower is better; if they are accuracies, give kind='accuracy'"
        ]
    return run.replace(provenance=with_notes(run.provenance, notes)) if notes else run


def irregular_times(ts: Series) -> list[str]:
    """A sentence about times that are not evenly spaced; empty if they are."""
    steps = np.diff(ts)
    if steps.max() <= _IRREGULAR * steps.min():
        return []
    return [f"times are irregular: steps from {steps.min():g} to {steps.max():g}"]


def negative(run: Trajectory) -> list[str]:
    """A sentence about uncertainties of the solver below zero; empty if there are none.

    The negative log-likelihood of a text is never negative.

    >>> negative(Trajectory([0, 1, 2], [-3.0, -2.0, -1.5]))[0].partition(": ")[2]
    'if these are log-likelihoods, negate them'
    >>> negative(Trajectory([0, 1, 2], [3.0, 2.0, -1.5]))
    ["'solver' is negative at t=2, which no uncertainty in nats can be"]
    """
    below = run.ts[run.solver < 0]
    if run.kind == "accuracy" or not below.size:
        return []
    if below.size < run.num_rows:
        others = f" and {below.size - 1} other times" if below.size > 1 else ""
        return [
            f"'solver' is negative at t={below[0]:g}{others}, which no uncertainty in nats can be"
        ]
    return [
        "the solver's values are all negative, which uncertainties in nats cannot be: if these are "
        "log-likelihoods, negate them"
    ]


def accuracy_like(run: Trajectory) -> list[str]:
    """A sentence about uncertainties that look like accuracies; empty if they do not.

    Rising accuracies read as uncertainties would describe a model that gets worse.

    >>> accuracy_like(Trajectory([0, 1, 2], [0.3, 0.5, 0.6]))[0].partition(": ")[2]
    "if these are accuracies, give kind='accuracy'"
    """
    solver = run.solver
    if run.kind == "accuracy" or solver.min() < 0 or not np.ptp(solver) > 0:
        return []
    in_percent = solver.max() <= 100 and np.median(solver) > 1
    if not (solver.max() <= 1 or in_percent):
        return []
    # Of numbers too large or too small there is no correlation, only a warning.
    with np.errstate(all="ignore"):
        rises = np.corrcoef(run.ts, solver)[0, 1] >= _RISES
    if not rises:
        return []
    rest = ", and divide them by 100" if in_percent else ""
    return [
        f"the solver rises from {solver[0]:.3g} to {solver[-1]:.3g} and is read as an uncertainty, "
        f"where lower is better: if these are accuracies, give kind='accuracy'{rest}"
    ]
