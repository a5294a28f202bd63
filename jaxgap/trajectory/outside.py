"""Reading untrusted text: bounded, strictly decoded, and with errors that say where.

The size of a file is checked before it is read, and a file that is not text is refused before
anything parses it.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jaxgap.trajectory.record import TrajectoryError

MAX_BYTES = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"

# Python's float() also accepts "1_000", "١" and "nan", which are not numbers in a data file.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*([eE][+-]?\d+)?", re.ASCII)
# How JavaScript, Python, NumPy, R and spreadsheets write a missing value; the last is what remains
# of dashes.
_MISSING = ("nan", "inf", "infinity", "null", "none", "na", "n/a", "<na>", "#n/a", "#div/0!", "")


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The text of an untrusted file, or a `TrajectoryError` in one line."""
    data = _read_bytes(path, max_bytes)
    if not data.strip():
        raise TrajectoryError(f"{path}: the file is empty")
    if data.startswith(_GZIP):
        raise TrajectoryError(f"{path}: compressed by gzip; decompress it with gunzip first")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The decoder counts from behind a byte order mark.
        start = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
        line = data[:start].count(b"\n") + 1
        raise TrajectoryError(
            f"{path}:{line}: not a text file in UTF-8 (byte {start}); "
            "if it is text, save it in UTF-8, which Excel calls CSV UTF-8"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TrajectoryError(f"{path}:{line}: a binary file, not text")
    return text


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file, if it is not too large; a pipe or device is never opened."""
    try:
        if not path.exists():
            raise TrajectoryError(f"{path}: no such file")
        if not path.is_file():
            raise TrajectoryError(f"{path}: not a file")
        size = path.stat().st_size
        if size > max_bytes:
            raise TrajectoryError(f"{path}: {size} bytes; at most {max_bytes} are read")
        with path.open("rb") as file:
            return file.read(min(size + 1, max_bytes))  # read() allocates all it is asked for
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror}") from error


def parse_json(text: str, where: str, finite: bool = True) -> Any:
    """Strict JSON: no repeated keys and, if `finite`, no NaN and no infinities."""
    parse_constant = _refuse_constant if finite else float
    try:
        return json.loads(text, parse_constant=parse_constant, object_pairs_hook=_unique_keys)
    except RecursionError as error:
        raise TrajectoryError(f"{where}: JSON nested too deeply") from error
    except ValueError as error:
        raise TrajectoryError(f"{where}: not valid JSON: {error}") from error


def json_objects(path: Path, finite: bool = True) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line number and the object of each line that is not empty, as :func:`parse_json`."""
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            found = parse_json(line, where, finite)
        except TrajectoryError as error:
            if number < len(lines) or line.rstrip().endswith("}"):
                raise
            raise TrajectoryError(
                f"{error}; the last line is incomplete: is the file still being written?"
            ) from error
        if not isinstance(found, dict):
            raise TrajectoryError(f"{where}: must be a JSON object, got {shown(line)}")
        yield number, found


def parse_number(cell: str, where: str) -> float:
    """The finite number in a cell of text."""
    text = cell.strip()
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        raise TrajectoryError(f"{where}: must be a finite number, got {shown(text)}")
    if not _NUMBER.fullmatch(text):
        found = f"got {shown(text)}" if text else "the cell is empty"
        raise TrajectoryError(f"{where}: must be a number, {found}{_number_hint(text)}")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise TrajectoryError(f"{where}: {shown(text)} is too large for a number")
    return value


def _number_hint(text: str) -> str:
    """What to do about a number in another notation; empty for text that is not a number."""
    number = text.removesuffix("%").strip()
    if _WITH_COMMA.fullmatch(number):
        return (
            "; write it with a decimal point and no other mark: a decimal comma is read only in "
            "tables with semicolons or tabs, in columns without points"
        )
    if number != text and is_number(number):
        return "; a % is read where every number of a column has one"
    return ""


def is_number(cell: str) -> bool:
    """Whether a cell of text is a number in the notation of data files."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell of text stands for a missing or non-finite value.

    >>> is_missing("-inf"), is_missing("#N/A"), is_missing("-"), is_missing("x")
    (True, True, True, False)
    """
    return cell.strip().lower().lstrip("+-") in _MISSING


def shown(text: str) -> str:
    """Untrusted text, quoted, shortened, and without control characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def repeated(names: Iterable[str]) -> str | None:
    """The first name that repeats an earlier one, found in a single pass."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = repeated(key for key, _ in pairs)
    if twice is not None:
        raise ValueError(f"key {shown(twice)} is given twice")
    return dict(pairs)
