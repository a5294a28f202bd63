"""What a reader of results has to know of how a file was read: said, never only recorded."""

import numpy as np

from jaxgap.trajectory.record import Series, Trajectory

# Intervals between measurements that differ by more than this are worth a word.
_IRREGULAR = 1.5


def reading_notes(run: Trajectory) -> list[str]:
    """What was done to the file to make this trajectory of it, and whether its times are irregular.

    A foreign log leaves its notes in `provenance["notes"]`; a provenance that came with a file may
    hold anything there, of which only sentences are taken.

    >>> reading_notes(Trajectory([0, 1, 5], [3.0, 2.0, 1.0]))
    ['times are irregular: steps from 1 to 4']
    """
    recorded = run.provenance.get("notes")
    listed = recorded if isinstance(recorded, list) else []
    found = [note for note in listed if isinstance(note, str)]
    return list(dict.fromkeys([*found, *irregular_times(run.ts)]))


def irregular_times(ts: Series) -> list[str]:
    """A sentence about times that are not evenly spaced, or nothing."""
    steps = np.diff(ts)
    if steps.max() <= _IRREGULAR * steps.min():
        return []
    return [f"times are irregular: steps from {steps.min():g} to {steps.max():g}"]
