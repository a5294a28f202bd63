"""The software and hardware of a run."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jax

import jaxgap

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "orbax-checkpoint")
# Needed by some runs only, to tokenise, to draw problems or to grade answers.
_OPTIONAL = ("tokenizers", "reasoning-gym", "math-verify")


def versions() -> dict[str, str | None]:
    """Versions of python and of the packages that affect the numbers, the commit, the device."""
    device = jax.devices()[0]
    return {
        "jaxgap": jaxgap.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        **_installed(_OPTIONAL),
        "git_commit": _git_commit(),
        "device": f"{device.platform}: {device.device_kind}",
    }


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@functools.cache  # a commit made since the import is not what was imported
def _git_commit() -> str | None:
    """The commit of the package's checkout, with `-dirty` if its code has uncommitted changes.

    None if it was installed from a wheel.
    """
    root = Path(jaxgap.__file__).resolve().parent.parent
    try:
        toplevel, commit = _git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        # A repository that merely surrounds an installed copy is another project's.
        if Path(toplevel) != root:
            return None
        return commit + ("-dirty" if _git(root, "status", "--porcelain", "--", "jaxgap") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *command: str) -> str:
    return subprocess.run(
        ["git", "--no-optional-locks", "-C", str(root), *command],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout
