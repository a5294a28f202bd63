"""`trainer_state.json`, in which Hugging Face trainers keep their log history."""

import json
from pathlib import Path

from jaxgap.trajectory.outside import parse_json, read_text
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import Entry, Log, numbers_of


def read_trainer_state(path: Path) -> Log:
    """The log history in a `trainer_state.json`, or in a file of its own; its clock is `step`.

    A trainer whose loss diverged writes `NaN`, which is not standard JSON; it is accepted.

    **Raises:** `TrajectoryError` if the file is not such a state.
    """
    try:
        state = parse_json(read_text(path), str(path), finite=False)
    except TrajectoryError as error:
        if (
            isinstance(error.__cause__, json.JSONDecodeError)
            and error.__cause__.msg == "Extra data"
        ):
            name = path.with_suffix(".jsonl").name
            raise TrajectoryError(
                f"{error}; if each line is an object, rename the file to {name}"
            ) from error
        raise
    history = state.get("log_history") if isinstance(state, dict) else state
    if not isinstance(history, list):
        raise TrajectoryError(f"{path}: no 'log_history' list; is this a trainer_state.json?")
    entries = []
    for number, row in enumerate(history, start=1):
        where = f"{path}: log_history entry {number}"
        if not isinstance(row, dict):
            raise TrajectoryError(f"{where}: must be an object")
        entries.append(Entry(where, numbers_of(row)))
    return Log(str(path), "step", tuple(entries))
