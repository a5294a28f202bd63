"""Text goes to tokens and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.models import CharTokenizer

TOKENIZER = CharTokenizer("0123+=")


@settings(deadline=None)
@given(st.text(alphabet="0123+="))
def test_round_trip(text):
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode([*ids, TOKENIZER.eos_id, TOKENIZER.pad_id]) == text


def test_unknown_characters_are_named():
    with pytest.raises(ValueError, match="no token for 'x' in '1x2'"):
        TOKENIZER.encode("1x2")


def test_repeated_characters_are_refused():
    with pytest.raises(ValueError, match="characters must not repeat"):
        CharTokenizer("aa")
