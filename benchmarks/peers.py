"""Environments of the engines that jaxgap is compared with, each apart from its own.

They are virtual environments in a folder outside the repository, so that no peer decides which
versions jaxgap runs with, nor the other way round.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

DEFAULT_FOLDER = Path(os.environ.get("JAXGAP_PEERS", Path.home() / ".cache" / "jaxgap" / "peers"))

TORCH = ("torch==2.13.0", "transformers>=5.24,<6", "peft>=0.21,<0.22")
"""PyTorch with Hugging Face's libraries."""


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of an environment."""
    return folder / name / "bin" / "python"


def make_environment(folder: Path, name: str, requirements: Sequence[str]) -> Path:
    """Make an environment, or complete one that is there, and return its interpreter."""
    python = python_of(folder, name)
    if not python.exists():
        venv.create(folder / name, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python
