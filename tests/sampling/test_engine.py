"""How rows are grouped, and when the decode loop returns to let others in."""

from hypothesis import given
from hypothesis import strategies as st

from jaxgap.sampling.engine import group_size, min_live_rows


def test_larger_groups_share_longer_prompts():
    assert group_size(16, 45) == 2
    assert group_size(16, 300) == 9
    assert group_size(1, 300) == 1


@given(st.integers(1, 500), st.data())
def test_the_loop_returns_once_a_sixteenth_of_the_rows_has_ended(num_rows, data):
    num_live = data.draw(st.integers(1, num_rows))
    fewest = min_live_rows(num_rows, num_live)
    assert 1 <= fewest <= num_live  # so that the loop begins, and ends
    if fewest > 1:
        num_ended = num_live - (fewest - 1)
        assert num_ended == max(1, num_rows // 16)
