"""Environments of the engines that jaxgap is compared with, separate from its own.

They are virtual environments in a folder outside the repository, so that the peers' requirements do
not constrain the package versions that jaxgap runs with, and vice versa.
"""

import dataclasses
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

DEFAULT_FOLDER = Path(os.environ.get("JAXGAP_PEERS", Path.home() / ".cache" / "jaxgap" / "peers"))

TORCH = ("torch==2.13.0", "transformers>=5.24,<6", "peft>=0.21,<0.22")
"""PyTorch with Hugging Face's libraries."""


def python_of(folder: Path, name: str) -> Path:
    """The interpreter of an environment."""
    return folder / name / "bin" / "python"


def make_environment(folder: Path, name: str, requirements: Sequence[str]) -> Path:
    """Make an environment, or complete an existing one, and return its interpreter."""
    python = python_of(folder, name)
    if not python.exists():
        venv.create(folder / name, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return python


def take_turn(python: Path, script: str, case: Any, *arguments: str) -> dict:
    """Run a script of this folder in its own process; return its last line's JSON and the load.

    No turn reuses programs compiled by an earlier one.

    **Arguments:**

    - `python`: the interpreter of the engine's environment.
    - `script`: its first argument is the case as JSON.
    - `case`: a dataclass of numbers.
    - `arguments`: further arguments of the script.
    """
    environment = {
        name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"
    }
    form = json.dumps(dataclasses.asdict(case))
    command = [str(python), str(HERE / script), form, *arguments]
    load = os.getloadavg()[0]
    turn = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if turn.returncode:
        sys.exit(f"{script} ended with status {turn.returncode}; its output is above")
    return json.loads(turn.stdout.splitlines()[-1]) | {"load_average": load}
