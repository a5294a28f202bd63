"""The paths in a run's configuration, stored so that it can be resumed from any working folder."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from jaxgap.improve.config import EMBEDDED, ImproveConfig
from jaxgap.tasks.named import with_absolute_files


def with_absolute_paths(config: ImproveConfig) -> ImproveConfig:
    """The configuration with the paths of existing files and folders made absolute.

    Links are not resolved: what they point to may move.
    """
    return dataclasses.replace(
        config,
        model=config.model if config.model == EMBEDDED else _absolute(config.model),
        task=with_absolute_files(config.task),
        external=_absolute(config.external),
    )


def _absolute(path: str) -> str:
    """The absolute path; a name on the hub, or of nothing, stays as it is."""
    return str(Path(path).absolute()) if os.path.exists(path) else path
