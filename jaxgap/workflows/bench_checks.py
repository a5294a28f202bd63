"""Checks of a bench before its first run begins, and the folders of its runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.assembly import draw_problems
from jaxgap.improve.config import EMBEDDED
from jaxgap.improve.runs.new_run_folder import require_free, without_run
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import is_locked
from jaxgap.improve.runs.stored_paths import with_absolute_paths
from jaxgap.models.huggingface import parse_config
from jaxgap.models.load import find_model
from jaxgap.run_files import CONFIG_FILE
from jaxgap.trajectory.outside import parse_json, read_text, shown

TABLE, PICTURE = "bench.json", "bench.png"


def check_runs(configs: Mapping[str, ImproveConfig], folder: Path) -> dict[str, Path]:
    """Refuse folders, models and problems that are wrong, without running anything.

    **Returns:** the folder of each run, by the run's name. `folder` exists and is writable.

    **Raises:** `InputError` in one line.
    """
    _check_place(folder)
    places = _places(configs, folder)
    for name, config in configs.items():
        _check_folder(places[name], config)
    for source in dict.fromkeys(config.model for config in configs.values()):
        _check_model(source)
    new = [config for name, config in configs.items() if not is_begun(places[name])]
    for config in {_problems_of(config): config for config in new}.values():
        draw_problems(config)
    _check_writable(folder)
    return places


def is_begun(run: Path) -> bool:
    """Whether a folder contains a run, which is then resumed."""
    return (run / CONFIG_FILE).exists()


def _check_place(folder: Path) -> None:
    without_run(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: use a folder")
    for path in (folder / TABLE, folder / PICTURE):
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, but the bench writes a file there: move it away, or use "
                "another folder"
            )


def _check_writable(folder: Path) -> None:
    """Create the folder if it does not exist, and test writing to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"{folder}: nothing can be written there ({error.strerror}); use another folder"
        ) from error


def _places(configs: Mapping[str, ImproveConfig], folder: Path) -> dict[str, Path]:
    """The folder of each run: that of a begun run with its settings, else named like the run.

    A bench names its runs by what it varies, so names change when more is varied, and a new run may
    have the name under which another run of the grid was begun.

    **Raises:** `InputError` if an earlier bench compares runs that this one lacks, since its
    results are overwritten.
    """
    earlier = _compared(folder / TABLE)
    begun = _begun(folder)
    found = {}
    for name, config in configs.items():
        wanted = with_absolute_paths(config)
        same = [other for other, settings in begun.items() if settings == wanted]
        # Of several copies, the one that was compared, or else the one with the run's name.
        same.sort(key=lambda other: (other not in earlier, other != name))
        if same:
            found[name] = same[0]
    for name in configs:
        if name not in found:
            place = name
            while place in found.values():
                place += "+"
            found[name] = place
    places = {name: folder / found[name] for name in configs}
    lost = [name for name in earlier if folder / name not in places.values()]
    if lost:
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        raise InputError(
            f"{folder / TABLE} compares runs that this grid leaves out "
            f"({', '.join(lost[:3])}{more}): include them, use another folder, or move that file "
            "away"
        )
    return places


def _begun(folder: Path) -> dict[str, ImproveConfig]:
    """The settings of each begun run of built-in parts, by the name of its folder."""
    found = {}
    for path in sorted(folder.glob(f"*/{CONFIG_FILE}")):
        # Such a file may be that of a model: this is no run, unless the bench needs its place.
        with contextlib.suppress(InputError):
            run = RunFolder.reopen(path.parent)
            if not run.own_parts:
                found[path.parent.name] = with_absolute_paths(run.config)
    return found


def _compared(table: Path) -> Sequence[str]:
    """The folders of the runs compared by an earlier bench; empty if there was none."""
    if not table.exists():
        return []
    try:
        runs = parse_json(read_text(table), str(table))["runs"]
        names = [run.get("folder", run["run"]) for run in runs]
        if all(Path(name).name == name for name in names):
            return names
    except (InputError, AttributeError, KeyError, TypeError):
        pass
    raise InputError(
        f"{table} was not written by jaxgap bench: move it away, or use another folder"
    )


def _check_folder(run: Path, config: ImproveConfig) -> None:
    if not is_begun(run):
        require_free(run)
        return
    if is_locked(run):  # by another bench, which would collide with this one at every run
        raise InputError(f"{run} is in use by another process: let it end, or stop it")
    begun = RunFolder.reopen(run)
    if begun.own_parts:
        own = " and the ".join(f"{part} {shown(name)}" for part, name in begun.own_parts.items())
        raise InputError(
            f"{run} contains a run with the {own}, passed from Python: use another folder"
        )
    there, wanted = with_absolute_paths(begun.config), with_absolute_paths(config)
    for field in dataclasses.fields(config):
        old, new = getattr(there, field.name), getattr(wanted, field.name)
        if old != new:
            raise InputError(
                f"{run} contains a run with `{field.name}`={json.dumps(old)}, not "
                f"{json.dumps(new)}: use another folder"
            )


def _check_model(source: str) -> None:
    """Refuse a model that does not exist, without loading weights; one on the hub is downloaded.

    So an unknown name, or an unreachable hub, is reported before the first run rather than hours
    later.
    """
    if source == EMBEDDED:
        return
    path = find_model(source)
    if path.is_dir():
        parse_config(path / "config.json")


def _problems_of(config: ImproveConfig) -> tuple[Any, ...]:
    """The settings that determine a run's problems."""
    sizes = (config.num_train_prompts, config.num_held_out_prompts, config.seed)
    return (config.task, config.task_options, *sizes)
