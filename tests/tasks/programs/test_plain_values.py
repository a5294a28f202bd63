"""Values survive as JSON, as what equality takes them for, and nothing else does."""

import collections
import datetime
import decimal
import enum
import fractions
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.tasks.programs.plain_values import MAX_ITEMS, NotPlain, Opaque, decode, encode

HASHABLE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary(max_size=8)
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes()
    | st.timedeltas(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.lists(inner, max_size=3).map(collections.deque)
    ),
    max_leaves=12,
)


def through_json(value):
    return decode(json.loads(json.dumps(encode(value))))


@settings(deadline=None)
@given(VALUES)
def test_values_come_back_equal_and_of_their_type(value):
    back = through_json(value)
    assert back == value
    assert type(back) is type(value)


def test_special_values():
    assert math.isnan(through_json(math.nan))
    assert through_json([math.inf, -0.0]) == [math.inf, 0.0]
    assert math.copysign(1, through_json(-0.0)) == -1
    assert through_json(10**5000) == 10**5000
    assert through_json("\ud800x") == "\ud800x"
    assert through_json(range(2, 9, 3)) == range(2, 9, 3)
    assert through_json({"a": 1}.keys()) == {"a"}
    assert list(through_json({"a": 1}.values())) == [1]
    assert through_json({"a": 1}.items()) == {("a", 1)}
    assert list(through_json(map(str, [1, 2]))) == ["1", "2"]
    assert through_json(bytearray(b"ab")) == bytearray(b"ab")
    assert through_json(datetime.time(1, 2)) == datetime.time(1, 2)


def test_subclasses_come_back_as_what_they_extend():
    class Color(enum.IntEnum):
        RED = 1

    Point = collections.namedtuple("Point", "x y")
    for value, plain in (
        (Color.RED, 1),
        (Point(1, 2), (1, 2)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(int, a=1), {"a": 1}),
    ):
        assert through_json(value) == plain
        assert type(through_json(value)) is type(plain)
    assert through_json(collections.Counter("aab")) == collections.Counter("aab")
    assert through_json(decimal.Decimal("1.50")) == decimal.Decimal("1.5")
    assert through_json(fractions.Fraction(2, 4)) == fractions.Fraction(1, 2)


def test_what_is_not_plain_equals_nothing():
    for value, truth in (
        (object(), True),
        (len, True),
        (type("Empty", (), {"__len__": lambda s: 0})(), False),
    ):
        back = through_json(value)
        assert isinstance(back, Opaque)
        assert bool(back) == truth
        assert back != through_json(value)
        assert back not in [through_json(value), value, truth]


def test_endless_values_are_refused():
    with pytest.raises(NotPlain, match=f"more than {MAX_ITEMS} items"):
        encode(iter(int, 1))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    )
    | st.tuples(
        st.sampled_from(["int", "float", "list", "dict", "set", "str", "range", "keys"]),
        st.recursive(st.text(max_size=3) | st.integers(), lambda more: st.lists(more, max_size=3)),
    ).map(list)
)  # fmt: skip
def test_other_forms_are_refused_or_plain(form):
    try:
        value = decode(form)
    except NotPlain:
        return
    assert encode(value)[0] in (form[0], "float")


@pytest.mark.parametrize(
    "form",
    [
        ["eval", "1"], ["int", "9" * 10_000 + "x"], ["list", 3], ["set", [["list", []]]], [], None,
        ["fraction", ["0x1", "0x0"]], ["dict", [[["list", []], ["none", None]]]], ["decimal", "x"],
    ],
)  # fmt: skip
def test_forged_forms_are_refused(form):
    with pytest.raises(NotPlain, match="not the form of a value"):
        decode(form)


def test_deep_forms_are_refused():
    form = ["none", None]
    for _ in range(100_000):
        form = ["list", [form]]
    with pytest.raises(NotPlain, match="nested too deeply"):
        decode(form)
