"""Sizes of templates' values: an independent count agrees, and what is too large is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError

from jaxgap.models import template_sizes
from jaxgap.models.template_sizes import check_product, measure, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


def chars(value):
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return 1 + sum(chars(key) + chars(each) for key, each in value.items())
    return 1 + sum(map(chars, value)) if isinstance(value, list) else 1


@given(value=VALUES)
def test_a_value_is_as_long_as_its_texts_and_one_for_all_else(value):
    assert measure(value) == chars(value)


@given(value=VALUES, indent=st.none() | st.integers(0, 16))
def test_json_is_that_of_the_standard_library(value, indent):
    assert to_json(value, indent=indent) == json.dumps(value, indent=indent, ensure_ascii=False)


@given(value=VALUES, limit=st.integers(0, 30))
def test_a_value_above_the_limit_is_refused(value, limit):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_sizes, "MAX_CHARS", limit)
        if chars(value) <= limit:
            assert measure(value) == chars(value)
        else:
            with pytest.raises(SecurityError, match="it makes a value that is too large"):
                measure(value)


@pytest.mark.parametrize(
    ("operator", "left", "right"), [("*", "ab", 2_000_001), ("*", 10**80, "a"), ("**", 2, 10**80)]
)
def test_products_above_the_limit_and_other_operations_on_large_values_are_refused(
    operator, left, right
):
    check_product("*", "ab", 2_000_000)
    with pytest.raises(SecurityError, match="it makes a value that is too large"):
        check_product(operator, left, right)
