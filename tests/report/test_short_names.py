"""Shortened names: different ones stay different, by what tells them apart."""

from hypothesis import given
from hypothesis import strategies as st

from jaxgap.report.short_names import shortened_apart


@given(
    st.lists(
        st.text("ab_-", min_size=1, max_size=60).map(lambda name: f"runs_{name}_solver"),
        min_size=1,
        max_size=30,
        unique=True,
    )
)
def test_different_names_are_shortened_to_different_ones(names):
    found = shortened_apart(names, 20)
    assert len(set(found)) == len(names)
    assert max(map(len, found)) <= 20


def test_what_tells_names_apart_is_kept():
    names = [f"GSI-vanilla-Mistral-7B-instruct-k{k}__perf-of-all__solver" for k in (1, 4, 64)]
    for name, k in zip(shortened_apart([*names, "other"], 28), (1, 4, 64), strict=False):
        assert f"k{k}_" in name
