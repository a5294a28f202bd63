"""Types of what a file holds: declared ones are taken, and others named by their field."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pytest
from jaxtyping import Array, Float, Int

from jaxgap.fitting.saving.saved_types import misfit


@dataclasses.dataclass
class Record:
    number: float = 0.0
    count: int = 0
    word: Literal["a", "b"] = "a"
    row: Float[Array, " n"] | None = None
    other: Float[np.ndarray, " n"] | None = None
    whole: Int[Array, ""] | None = None
    pair: tuple[float, str] = (0.0, "")
    many: tuple[int, ...] = ()
    by_name: Mapping[str, float] | None = None
    function: Callable[..., Any] | None = None


GOOD = [
    {"number": 1.5},
    {"number": 1},
    {"count": 2},
    {"word": "b"},
    {"row": np.zeros(3), "other": np.ones(3)},
    {"whole": np.int64(4)},
    {"pair": (1.0, "x")},
    {"many": (1, 2, 3)},
    {"by_name": {"x": 1.0}},
    {"function": len},
    {"row": None},
]
BAD = [
    ({"number": "1.5"}, "number"),
    ({"number": True}, "number"),
    ({"count": 1.0}, "count"),
    ({"word": "c"}, "word"),
    ({"row": np.zeros((3, 1))}, "row"),
    ({"row": np.zeros(3, int)}, "row"),
    ({"row": np.zeros(3), "other": np.ones(4)}, "other"),
    ({"whole": np.array([4])}, "whole"),
    ({"pair": (1.0,)}, "pair"),
    ({"many": (1, "x")}, "many"),
    ({"by_name": {"x": "y"}}, "by_name"),
    ({"function": "len"}, "function"),
]


@pytest.mark.parametrize("fields", GOOD, ids=str)
def test_declared_types_are_taken(fields):
    assert misfit(Record, fields) is None


@pytest.mark.parametrize(("fields", "name"), BAD, ids=str)
def test_other_types_are_named_by_their_field(fields, name):
    assert misfit(Record, fields) == name
