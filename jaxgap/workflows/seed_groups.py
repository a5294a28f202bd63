"""Which runs are seeds of one experiment: by a pattern, by their names, or by their settings."""

import json
import os
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple

from jaxgap.errors import InputError
from jaxgap.trajectory.collection import NamedRun

GroupedBy = Literal["pattern", "name", "settings"]

# `NAME_seed3`, `NAME-seed-3`, `seed3/NAME`: the rest without the seed is the experiment.
_SEED = re.compile(r"[-_. :]*seed[-_ =]?(\d+)", re.IGNORECASE)
# Entries of a run's record that differ between seeds, or do not describe the experiment.
_NOT_SETTINGS = ("seed", "source", "notes")


class SeedGroups(NamedTuple):
    """Which runs are seeds of one experiment.

    **Fields:**

    - `groups`: the experiments with two runs or more, in order of their first runs, each with the
        indices of its runs.
    - `grouped_by`: what the runs were grouped by.
    - `repeated`: the runs left out as they repeat the seed of an earlier one, with its index.
    """

    groups: dict[str, list[int]]
    grouped_by: GroupedBy
    repeated: dict[int, int]


def group_seeds(runs: Sequence[NamedRun], pattern: str | None = None) -> SeedGroups:
    """The experiments with two or more runs, and what they were grouped by.

    With a pattern, runs in which its first group (or all of it) matches the same text belong
    together. Without one, runs whose names with folders differ only in `seedN`; if there are none,
    runs whose records differ only in `seed`. Of runs with the same seed too, for example
    `run_seed0.csv` and `run_seed0.jsonl`, only the first counts, with a pattern as well: as two
    seeds they would agree too well.

    **Arguments:**

    - `runs`: in any order.
    - `pattern`: a regular expression, searched for in the runs' names.

    **Raises:** `InputError` if the pattern is not a regular expression, or matches no run.

    **Example:**

    >>> from pathlib import Path
    >>> from jaxgap.trajectory import Trajectory
    >>> run = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])
    >>> names = ["demo_seed0", "demo_seed1", "other"]
    >>> group_seeds([NamedRun(name, Path(name), run) for name in names]).groups
    {'demo': [0, 1]}
    """
    if pattern is not None:
        matched = [_matched(_compiled(pattern), run.name) for run in runs]
        if runs and not any(match is not None for match in matched):
            names = ", ".join(run.name for run in runs)
            raise InputError(f"group must match the name of a run, got {pattern!r}: {names[:200]}")
        repeated = _repeated(
            [
                None if match is None else (match, _seeds_in_name(run) or run.full_name or run.name)
                for match, run in zip(matched, runs, strict=True)
            ]
        )
        return SeedGroups(_with_several(_without(repeated, matched)), "pattern", repeated)
    repeated = _repeated([_seeds_in_name(run) for run in runs])
    by_name = _with_several(_without(repeated, _seedless_names(runs)))
    if by_name:
        return SeedGroups(_called(by_name, runs), "name", repeated)
    repeated |= _repeated([_settings_and_seed(run) for run in runs])
    by_settings = _with_several(_without(repeated, [_settings(run) for run in runs]))
    named = {runs[indices[0]].name: indices for indices in by_settings.values()}
    return SeedGroups(named, "settings", repeated)


def _repeated(keys: Sequence[Hashable | None]) -> dict[int, int]:
    """The indices at which a key is that of an earlier index, with the first such index."""
    first: dict[Hashable, int] = {}
    found = {}
    for index, key in enumerate(keys):
        if key is not None and first.setdefault(key, index) != index:
            found[index] = first[key]
    return found


def _without(repeated: Mapping[int, int], keys: Sequence[str | None]) -> list[str | None]:
    return [None if index in repeated else key for index, key in enumerate(keys)]


def _seeds_in_name(run: NamedRun) -> tuple[str, ...] | None:
    """A run's name with its folder but without its seeds, and the seeds; `None` without one."""
    name = run.full_name or run.name
    seedless = _without_seed(name)
    if seedless is None:
        return None
    return (seedless, *(found[1].lstrip("0") for found in _SEED.finditer(name)))


def _settings_and_seed(run: NamedRun) -> tuple[str, str] | None:
    settings = _settings(run)
    return None if settings is None else (settings, repr(run.run.provenance["seed"]))


def _with_several(keys: Sequence[str | None]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            groups.setdefault(key, []).append(index)
    return {key: indices for key, indices in groups.items() if len(indices) > 1}


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InputError(f"group must be a regular expression, got {pattern!r}: {error}") from error


def _matched(pattern: re.Pattern[str], name: str) -> str | None:
    found = pattern.search(name)
    if found is None:
        return None
    return found[1] if pattern.groups else found[0]


def _seedless_names(runs: Sequence[NamedRun]) -> list[str | None]:
    """Each run's name without the seed; `None` if neither its name nor its record has one."""
    full_names = [run.full_name or run.name for run in runs]
    found = [_without_seed(name) for name in full_names]
    alike: dict[str, list[int]] = {}
    for index, name in enumerate(found):
        if name is not None:
            alike.setdefault(name, []).append(index)
    settings = [_settings(run) for run in runs]
    for index, name in enumerate(full_names):
        if found[index] is not None or settings[index] is None:
            continue
        folder, seed = os.path.dirname(name), runs[index].run.provenance["seed"]
        for group, others in alike.items():
            seeds = [runs[other].run.provenance.get("seed") for other in others]
            same = {settings[other] for other in others} == {settings[index]}
            if os.path.dirname(group) == folder and same and seed not in seeds:
                found[index] = group
                others.append(index)
                break
    return found


def _without_seed(name: str) -> str | None:
    left, num_found = _SEED.subn("", name)
    return left if num_found else None


def _called(groups: Mapping[str, list[int]], runs: Sequence[NamedRun]) -> dict[str, list[int]]:
    """Groups by their runs' names in tables, with the folder where that name is ambiguous."""
    # The shortest name, since that of a run stored twice is its whole path.
    shortest = {
        key: min((runs[index].name for index in indices), key=len)
        for key, indices in groups.items()
    }
    names = {key: _experiment(name) for key, name in shortest.items()}
    counts = Counter(names.values())
    return {
        names[key] if counts[names[key]] == 1 else os.path.relpath(key): indices
        for key, indices in groups.items()
    }


def _experiment(name: str) -> str:
    return _SEED.sub("", name).strip("-_. :/") or "runs"


def _settings(run: NamedRun) -> str | None:
    """A run's recorded settings without the seed; `None` if it has no seed."""
    provenance = dict(run.run.provenance)
    if "seed" not in provenance:
        return None
    settings = {name: value for name, value in provenance.items() if name not in _NOT_SETTINGS}
    return json.dumps(settings, sort_keys=True, default=str)
