"""Remarks on the rows of a table: a letter for each, and one for all that differ in details."""

import re
from collections.abc import Iterable

from jaxgap.cli.option_names import in_options
from jaxgap.cli.terminal import Terminal

# Excludes bounds: being on different bounds is not the same remark.
_NUMBER = re.compile(r"(?<![\w.])(?<!bound )[+-]?(?<!bound [+-])\d+(?:\.\d+)?(?:e[+-]?\d+)?")


class Remarks:
    """Letters for remarks; remarks that differ only in details share one."""

    def __init__(self):
        self._known: dict[tuple[str, ...], list[str]] = {}

    def letters(self, remarks: Iterable[str]) -> list[str]:
        found = []
        for remark in map(in_options, remarks):
            kind = tuple(_NUMBER.split(_head(remark)))
            self._known.setdefault(kind, []).append(remark)
            found.append(_letter(list(self._known).index(kind)))
        return list(dict.fromkeys(found))

    def show(self, console: Terminal) -> None:
        """Print each letter with its remark, in full if it is the same for all its runs."""
        for index, remarks in enumerate(self._known.values()):
            said = remarks[0] if len(set(remarks)) == 1 else _common(remarks)
            console.print(f"{_letter(index)}: {said}", style="dim")


def _head(remark: str) -> str:
    """A remark without its details."""
    return re.split(r"[(;:]", remark)[0].strip()


def _common(remarks: list[str]) -> str:
    """Remarks that differ in details, merged: the range of each number, and the common advice."""
    heads = [_head(remark) for remark in remarks]
    ranges = []
    for values in zip(*map(_NUMBER.findall, heads), strict=True):
        low, high = min(values, key=float), max(values, key=float)
        between = " to " if low.startswith("-") else "–"
        ranges.append(low if low == high else f"{low}{between}{high}")
    said = _NUMBER.sub(lambda _: ranges.pop(0), heads[0])
    return f"{said} (details in the JSON){_shared_end(remarks)}"


def _shared_end(remarks: list[str]) -> str:
    """The text after the heads, or else after the last colons, if all remarks share it."""
    ends = {remark.removeprefix(_head(remark)) for remark in remarks}
    if len(ends) > 1:
        ends = {end.rpartition(":")[2] if ":" in end else "" for end in ends}
        ends = {f":{end}" if end else "" for end in ends}
    return ends.pop() if len(ends) == 1 else ""


def _letter(index: int) -> str:
    tens, ones = divmod(index, 26)
    return (chr(ord("a") + tens - 1) if tens else "") + chr(ord("a") + ones)
