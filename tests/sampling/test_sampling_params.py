"""What a user may set is checked when it is set."""

import pytest

from jaxgap.sampling import SamplingParams


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1.0),
        ("temperature", float("nan")),
        ("temperature", 1e39),  # infinite in float32
        ("top_k", 0),
        ("top_k", 2.5),
        ("top_k", True),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("min_p", -0.1),
        ("min_p", 2.0),
    ],
)
def test_fields_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be"):
        SamplingParams(**{field: value})


def test_more_tokens_than_an_int32_can_count_are_all():
    assert SamplingParams(top_k=2**31).traced().top_k == 2**31 - 1
