"""The fields of a trajectory that are not columns, as read from a sidecar or a header."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxgap.trajectory.outside import shown
from jaxgap.trajectory.record import TrajectoryError

_TYPES = {
    "kind": (str, "a word"),
    "num_items": (int | None, "a whole number or null"),
    "time_unit": (str, "a word"),
    "provenance": (dict, "an object"),
}


HEADER = "trajectory"
"""The only field of the first line of jaxgap's own JSON lines; it contains the metadata."""


def checked_metadata(found: Any, where: str) -> dict[str, Any]:
    """The metadata `found` in a file, if every field is known and of the right type.

    **Raises:** `TrajectoryError`, naming `where`.
    """
    if not isinstance(found, dict):
        raise TrajectoryError(f"{where}: must be a JSON object, got {shown(str(found))}")
    for name, value in found.items():
        if name not in _TYPES:
            known = ", ".join(_TYPES)
            raise TrajectoryError(f"{where}: unknown field {shown(name)}; known are {known}")
        expected, described = _TYPES[name]
        if not isinstance(value, expected) or isinstance(value, bool):
            raise TrajectoryError(f"{where}: '{name}' must be {described}, got {shown(str(value))}")
    return found


def with_given(found: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A file's metadata, overridden by what was given.

    The file's number of items is kept only with the file's own kind.

    >>> with_given({"kind": "accuracy", "num_items": 9}, {"time_unit": "round"})
    {'kind': 'accuracy', 'num_items': 9, 'time_unit': 'round'}
    >>> with_given({"kind": "accuracy", "num_items": 9}, {"kind": "uncertainty"})
    {'kind': 'uncertainty'}
    """
    merged = {**found, **given}
    if found.get("kind", merged.get("kind")) != merged.get("kind") and "num_items" not in given:
        merged.pop("num_items", None)
    return merged


def with_notes(provenance: Mapping[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    """A provenance with further notes appended."""
    earlier = provenance.get("notes")
    if not notes:
        return dict(provenance)
    return {**provenance, "notes": [*(earlier if isinstance(earlier, list) else []), *notes]}
