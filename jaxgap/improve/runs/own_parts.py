"""The record of the parts that were passed from Python in place of those of a configuration.

A configuration names built-in parts only, so a run with a verifier or a task of the user's own
keeps the names of these beside it. They are compared and printed, never imported. They are found in
:mod:`jaxgap.improve.runs.part_names`, which needs the verifiers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from jaxgap.errors import InputError
from jaxgap.trajectory.outside import shown

OwnParts: TypeAlias = Mapping[str, str]
"""The name of each such part by the setting that it replaces, `verifier` or `task`."""

NO_OWN_PARTS: OwnParts = MappingProxyType({})

PARTS = {"verifier": "its verifier", "task": "its grader"}
"""What each of these settings is called in messages."""


def checked_own_parts(form: Any, where: str) -> OwnParts:
    """The parts that an untrusted file names.

    **Raises:** `InputError` if it contains anything else.
    """
    if not isinstance(form, dict) or not form.keys() <= PARTS.keys():
        raise InputError(f"{where}: must be a JSON object with {' or '.join(PARTS)}")
    if not all(isinstance(name, str) for name in form.values()):
        raise InputError(f"{where}: the names of parts must be strings")
    return form


def require_same_parts(before: OwnParts, now: OwnParts, run: Path) -> None:
    """Refuse to continue a run with other parts than it was made with.

    **Raises:** `InputError` naming the part.
    """
    for setting, part in PARTS.items():
        if before.get(setting) != now.get(setting):
            raise other_part(run, part, before.get(setting))


def other_part(run: Path, part: str, name: str | None = None) -> InputError:
    """The error of a run that would continue with another verifier or grader.

    **Arguments:**

    - `run`: its folder.
    - `part`: which of :data:`PARTS` differs.
    - `name`: what it was made with, if known.
    """
    made_with = "" if name is None else f" ({shown(name)})"
    return InputError(
        f"{run}: {part} is not the one that the run was made with{made_with}: resume it from "
        "Python with the same verifier and task, or start a new run"
    )
