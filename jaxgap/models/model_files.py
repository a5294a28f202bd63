"""Untrusted files of models: found, bounded and parsed."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError

MAX_LAYERS = 1_000
# Of a width, a count of heads, a vocabulary.
MAX_SIZE = 10_000_000
# Of settings, headers and lists of tensors, which take 2 MiB for a thousand layers. Hostile JSON
# may take some 25 times its size in memory.
MAX_JSON_BYTES = 4 * 1024 * 1024
# Of tables of tokens.
MAX_TOKENIZER_BYTES = 64 * 1024 * 1024
_LFS_POINTER = b"version https://git-lfs.github.com/spec"
_MAX_POINTER_BYTES = 1024


class ModelFileError(InputError):
    """A model file cannot be used; the message is one line."""


@contextlib.contextmanager
def library_failures(problem: str) -> Iterator[None]:
    """Convert whatever a library raises about a file to one line that begins with `problem`.

    A library written in Rust may panic, which is not an `Exception`.
    """
    try:
        yield
    except (InputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ModelFileError(f"{problem} ({error!s:.80})") from None


def regular_file(path: Path) -> Path:
    """The path, if it is a regular file, not a folder, pipe, device or pointer of git-lfs."""
    if not path.is_file():
        problem = "not a file" if path.exists() else "no such file"
        raise ModelFileError(f"{path}: {problem}")
    is_small = path.stat().st_size < _MAX_POINTER_BYTES
    if is_small and path.read_bytes().startswith(_LFS_POINTER):
        raise ModelFileError(f"{path}: a git-lfs pointer to the file; fetch it with `git lfs pull`")
    return path


def pickle_error(path: Path, safe_name: str) -> ModelFileError:
    """The error to raise for weights that are only in a pickle."""
    return ModelFileError(
        f"{path}: a pickle, which can run code when it is read; convert it to {safe_name} where "
        "you trust it (transformers' save_pretrained does)"
    )


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The JSON object in a file of at most so many bytes, without NaN or infinities."""
    size = regular_file(path).stat().st_size
    if size > max_bytes:
        raise ModelFileError(f"{path}: {size} bytes of JSON; at most {max_bytes} are read")
    return parse_json(path.read_bytes(), str(path))


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object from bytes, or a `ModelFileError` that names `where`."""
    try:
        parsed = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{where}: not valid JSON ({error!s:.80})") from None
    if not isinstance(parsed, dict):
        raise ModelFileError(f"{where}: must hold a JSON object")
    return parsed


class Fields:
    """Typed and bounded reading of named values from a file.

    **Arguments:**

    - `values`: name to value.
    - `where`: the file, for messages.
    """

    def __init__(self, values: dict[str, Any], where: str):
        self.values = values
        self.where = where

    def integer(self, name: str, default: int | None = None, *, maximum: int) -> int:
        """An integer from 1 to `maximum`; required unless a default is given."""
        value = self._get(name, default)
        if type(value) is not int or not 1 <= value <= maximum:
            raise self.error(name, f"an integer from 1 to {maximum}")
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A positive finite number; required unless a default is given."""
        value = self._get(name, default)
        if type(value) not in (int, float) or not 0 < value < 1e18 or not math.isfinite(value):
            raise self.error(name, "a positive finite number")
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._get(name, default)
        if type(value) is not bool:
            raise self.error(name, "true or false")
        return value

    def error(self, name: str, legal: str) -> ModelFileError:
        """The error to raise for an illegal value."""
        return ModelFileError(f"{self.where}: {name} must be {legal}, got {self._shown(name)}")

    def _get(self, name: str, default: Any) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def _shown(self, name: str) -> str:
        return f"{self.values.get(name)!r:.60}" if name in self.values else "nothing"


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
