"""Every candidate gets one seat, beside others of its prompt, and nobody is lost in a move."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.sampling.seating import FREE, Seating


def _beside_their_own(seating, num_candidates):
    taken = seating.rows != FREE
    prompts = np.broadcast_to(seating.prompts[:, None], taken.shape)
    return (seating.rows[taken] // num_candidates == prompts[taken]).all()


@settings(deadline=None)
@given(
    num_prompts=st.integers(1, 6),
    num_candidates=st.integers(1, 7),
    num_groups=st.integers(1, 5),
    group_size=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_everyone_sits_once_beside_their_own(
    num_prompts, num_candidates, num_groups, group_size, seed
):
    rng = np.random.default_rng(seed)
    seating = Seating(num_groups, group_size, range(num_prompts), num_candidates)
    served = []
    while True:
        before = seating.rows[seating.rows != FREE]
        prompts = seating.prompts.copy()
        changed = seating.fill()
        np.testing.assert_array_equal(np.flatnonzero(seating.prompts != prompts), changed)
        assert _beside_their_own(seating, num_candidates)
        seated = seating.rows[seating.rows != FREE]
        assert set(before) <= set(seated)
        served += sorted(set(seated) - set(before))
        if not len(seated):
            break
        # A seat is free only if its group's prompt has nobody waiting.
        assert not seating.num_waiting or len(served) < num_prompts * num_candidates
        seating.leave((seating.rows != FREE) & (rng.random(seating.rows.shape) < 0.5))
    assert sorted(served) == list(range(num_prompts * num_candidates))


def test_free_groups_begin_prompts_before_they_help_with_others():
    seating = Seating(3, 2, [2, 0, 1, 3], 4)
    assert seating.fill() == [0, 1, 2]
    assert seating.prompts.tolist() == [2, 0, 1]
    assert seating.rows.tolist() == [[8, 9], [0, 1], [4, 5]]
    seating.leave(np.array([[True, True], [False, True], [False, False]]))
    assert seating.fill() == []
    assert seating.rows.tolist() == [[10, 11], [0, 2], [4, 5]]
    seating.leave(np.array([[True, True], [False, False], [False, False]]))
    assert seating.fill() == [0]
    assert seating.prompts[0] == 3


def test_those_left_move_together():
    seating = Seating(2, 4, [0, 1], 4)
    seating.fill()
    seating.leave(seating.rows % 4 < 2)
    move = seating.shrink(2)
    assert move is not None
    assert seating.rows.tolist() == [[2, 3], [6, 7]]
    assert move.groups.tolist() == [0, 1]
    assert move.seats.tolist() == [2, 3, 6, 7]
    assert _beside_their_own(seating, 4)


def test_nobody_moves_while_they_do_not_fit_or_others_wait():
    seating = Seating(2, 4, [0, 1], 4)
    seating.fill()
    seating.leave(seating.rows % 4 < 1)
    assert seating.shrink(2) is None
    waiting = Seating(2, 2, [0, 1, 2], 2)
    waiting.fill()
    waiting.leave(waiting.rows >= 0)
    assert waiting.shrink(2) is None
