"""Every completion gets a row once, in a group of its prompt, and none is lost in a compaction."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.sampling.scheduler import FREE, Scheduler


def _in_groups_of_their_prompts(scheduler, num_candidates):
    used = scheduler.completions != FREE
    prompts = np.broadcast_to(scheduler.prompts[:, None], used.shape)
    return (scheduler.completions[used] // num_candidates == prompts[used]).all()


@settings(deadline=None)
@given(
    num_prompts=st.integers(1, 6),
    num_candidates=st.integers(1, 7),
    num_groups=st.integers(1, 5),
    group_size=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_every_completion_is_decoded_once_in_a_group_of_its_prompt(
    num_prompts, num_candidates, num_groups, group_size, seed
):
    rng = np.random.default_rng(seed)
    scheduler = Scheduler(num_groups, group_size, range(num_prompts), num_candidates)
    decoded, total = [], num_prompts * num_candidates
    while True:
        before = scheduler.completions[scheduler.completions != FREE]
        prompts = scheduler.prompts.copy()
        changed = scheduler.admit()
        np.testing.assert_array_equal(np.flatnonzero(scheduler.prompts != prompts), changed)
        assert _in_groups_of_their_prompts(scheduler, num_candidates)
        running = scheduler.completions[scheduler.completions != FREE]
        assert set(before) <= set(running)
        decoded += sorted(set(running) - set(before))
        if not len(running):
            break
        # A row is free only if no completion of its group's prompt waits.
        waiting = {c // num_candidates for c in set(range(total)) - set(decoded)}
        with_free_rows = scheduler.prompts[(scheduler.completions == FREE).any(1)]
        assert not waiting.intersection(with_free_rows.tolist())
        scheduler.release(
            (scheduler.completions != FREE) & (rng.random(scheduler.completions.shape) < 0.5)
        )
    assert sorted(decoded) == list(range(total))


def test_free_groups_begin_prompts_before_they_help_with_others():
    scheduler = Scheduler(3, 2, [2, 0, 1, 3], 4)
    assert scheduler.admit() == [0, 1, 2]
    assert scheduler.prompts.tolist() == [2, 0, 1]
    assert scheduler.completions.tolist() == [[8, 9], [0, 1], [4, 5]]
    scheduler.release(np.array([[True, True], [False, True], [False, False]]))
    assert scheduler.admit() == []
    assert scheduler.completions.tolist() == [[10, 11], [0, 2], [4, 5]]
    scheduler.release(np.array([[True, True], [False, False], [False, False]]))
    assert scheduler.admit() == [0]
    assert scheduler.prompts[0] == 3


def test_those_left_are_compacted():
    scheduler = Scheduler(2, 4, [0, 1], 4)
    scheduler.admit()
    scheduler.release(scheduler.completions % 4 < 2)
    compaction = scheduler.compact(2)
    assert compaction is not None
    assert scheduler.completions.tolist() == [[2, 3], [6, 7]]
    assert compaction.groups.tolist() == [0, 1]
    assert compaction.rows.tolist() == [2, 3, 6, 7]
    assert _in_groups_of_their_prompts(scheduler, 4)


def test_nothing_moves_while_they_do_not_fit_or_others_wait():
    scheduler = Scheduler(2, 4, [0, 1], 4)
    scheduler.admit()
    scheduler.release(scheduler.completions % 4 < 1)
    assert scheduler.compact(2) is None
    waiting = Scheduler(2, 2, [0, 1, 2], 2)
    waiting.admit()
    waiting.release(waiting.completions >= 0)
    assert waiting.compact(2) is None


def test_a_free_group_helps_with_the_prompt_that_has_the_most_waiting():
    scheduler = Scheduler(3, 1, range(3), 3)
    scheduler.admit()
    for ended in ([True, False, True], [False, False, True], [False, False, True]):
        scheduler.release(np.array(ended)[:, None])
        changed = scheduler.admit()
    # One completion of prompt 0 is waiting, and two of prompt 1.
    assert changed == [2]
    assert scheduler.prompts.tolist() == [0, 1, 1]
