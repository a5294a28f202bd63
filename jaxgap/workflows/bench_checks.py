"""What of a bench can be refused before its first run begins."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.assembly import draw_problems
from jaxgap.improve.config import EMBEDDED
from jaxgap.improve.run_folder import RunFolder, require_free
from jaxgap.improve.run_lock import is_locked
from jaxgap.models.huggingface import parse_config
from jaxgap.models.load import find_model


def check_runs(configs: Mapping[str, ImproveConfig], folder: Path) -> None:
    """Refuse folders, models and problems that are known to be wrong without running anything.

    **Raises:** `InputError` in one line.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder by --out")
    for name, config in configs.items():
        _check_folder(folder / name, config)
    for source in dict.fromkeys(config.model for config in configs.values()):
        _check_model(source)
    new = [config for name, config in configs.items() if not is_begun(folder / name)]
    for config in {_problems_of(config): config for config in new}.values():
        draw_problems(config)


def is_begun(run: Path) -> bool:
    """Whether a folder holds a run, which then goes on."""
    return (run / "config.json").exists()


def _check_folder(run: Path, config: ImproveConfig) -> None:
    if not is_begun(run):
        require_free(run)
        return
    if is_locked(run):  # by another bench, which would meet this one at every run
        raise InputError(f"{run} is in use by another process: let it end, or stop it")
    there = RunFolder.reopen(run).config
    for field in dataclasses.fields(config):
        old, new = getattr(there, field.name), getattr(config, field.name)
        if old != new:
            raise InputError(
                f"{run} holds a run with {field.name}={json.dumps(old)}, not {json.dumps(new)}: "
                "name another folder by --out"
            )


def _check_model(source: str) -> None:
    """Refuse a model that is nowhere, without its weights; one on the hub is fetched here.

    So a name that the hub does not know, or a hub that cannot be reached, is told before the first
    run rather than hours later.
    """
    if source == EMBEDDED:
        return
    path = find_model(source)
    if path.is_dir():
        parse_config(path / "config.json")


def _problems_of(config: ImproveConfig) -> tuple[Any, ...]:
    """What a run's problems depend on."""
    sizes = (config.num_train_prompts, config.num_held_out_prompts, config.seed)
    return (config.task, config.task_options, *sizes)
