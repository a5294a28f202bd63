"""Stop strings end a completion wherever they begin and end within its tokens."""

from jaxgap.models import CharTokenizer
from jaxgap.sampling.stopping import before_stop, tokens_to_stop

TOKENIZER = CharTokenizer("0123456789+=")


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
