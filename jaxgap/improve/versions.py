"""What a run ran on."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path

import jax

import jaxgap

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


def versions() -> dict[str, str | None]:
    """Versions of python and of the packages that decide the numbers, the commit, the device."""
    device = jax.devices()[0]
    return {
        "jaxgap": jaxgap.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
        "git_commit": _git_commit(),
        "device": f"{device.platform}: {device.device_kind}",
    }


@functools.cache  # a commit made meanwhile is not what was imported
def _git_commit() -> str | None:
    """The commit of the checkout this package lies in; None if it was installed from a wheel."""
    root = Path(jaxgap.__file__).resolve().parent.parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    toplevel, commit = answer.stdout.splitlines()
    # Another project's repository around an installed copy says nothing about this one.
    return commit if Path(toplevel) == root else None
