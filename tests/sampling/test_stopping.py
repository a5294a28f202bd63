"""Stop strings end a completion wherever they begin and end within its tokens."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.models import CharTokenizer
from jaxgap.models.fast_tokenizer import FastTokenizer
from jaxgap.sampling.stopping import before_stop, tokens_to_stop

TOKENIZER = CharTokenizer("0123456789+=")


@pytest.fixture(scope="module")
def of_bytes():
    """Letters, and bytes of other characters, as in Llama-2: a newline is a byte too."""
    tokenizers = pytest.importorskip("tokenizers")
    words = ["<unk>", "a", "b", *(f"<0x{byte:02X}>" for byte in range(256))]
    ids = {word: index for index, word in enumerate(words)}
    model = tokenizers.models.BPE(ids, [], unk_token="<unk>", byte_fallback=True)
    backend = tokenizers.Tokenizer(model)
    decoders = tokenizers.decoders
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return FastTokenizer(backend, len(ids), (), 0, None, None)


def test_the_first_string_in_the_text_decides():
    assert before_stop("12+3=4", ["=", "+3"]) == "12"
    assert before_stop("12+3=4", ["="]) == "12+3"
    assert before_stop("12+3=4", ["5"]) is None
    assert before_stop("12", []) is None


def test_the_tokens_that_complete_the_string_are_kept():
    ids = TOKENIZER.encode("12+3=4+3=")
    assert tokens_to_stop(TOKENIZER, ids, 0, ["3="]) == 5
    assert tokens_to_stop(TOKENIZER, ids, 4, ["3="]) == 5
    assert tokens_to_stop(TOKENIZER, ids[:4], 0, ["3="]) is None
    assert tokens_to_stop(TOKENIZER, ids, 8, ["4+3="]) == 9


BYTES = [1, 2, *(3 + byte for byte in b"\n\n" + "é😁".encode())]


@given(ids=st.lists(st.sampled_from(BYTES), min_size=1, max_size=12), data=st.data())
@pytest.mark.parametrize("string", ["\n", "a\n", "\n\n", "é"])
def test_bytes_that_come_later_do_not_hide_a_string(of_bytes, string, ids, data):
    """However many tokens each call of the decode loop adds."""
    texts = [of_bytes.decode(ids[:length]) for length in range(1, len(ids) + 1)]
    expected = next((length for length, text in enumerate(texts, 1) if string in text), None)
    cuts = [*sorted(data.draw(st.sets(st.integers(1, len(ids))))), len(ids)]
    found = (
        tokens_to_stop(of_bytes, ids[:more], checked, [string])
        for checked, more in itertools.pairwise([0, *cuts])
    )
    assert next((length for length in found if length is not None), None) == expected


def test_a_newline_before_a_stray_byte_ends_a_completion(of_bytes):
    ids = [1, 3 + ord("\n"), 3 + 0xF0, 1, 1]
    assert "\n" not in of_bytes.decode(ids)
    assert tokens_to_stop(of_bytes, ids, 1, ["\n"]) == 2
