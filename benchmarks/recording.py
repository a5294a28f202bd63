"""What a benchmark records: its numbers as JSON, and the machine used."""

import json
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np


def spread(values: Sequence[float], form: str) -> tuple[str, str]:
    """Two cells of a table: the median, and the range."""
    low, middle, high = (form.format(each(values)) for each in (min, np.median, max))
    return middle, f"{low} - {high}"


def write(results: dict[str, Any], path: Path | None) -> None:
    """Write the results as JSON, if requested."""
    if path is not None:
        path.write_text(json.dumps(results, indent=2) + "\n")


def machine(packages: Sequence[str]) -> dict:
    """The machine and the package versions behind the timings."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": list(os.getloadavg()),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    """The processor's name (Linux), or else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return ", ".join([*named[:1], platform.machine()])
