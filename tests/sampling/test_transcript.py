"""The growing record against each completion's tokens taken as a whole."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.models import CharTokenizer
from jaxgap.sampling.completions import Progress
from jaxgap.sampling.decode import Drawn
from jaxgap.sampling.transcript import Stop, Transcript

TOKENIZER = CharTokenizer("01+")
END, OTHER_END = TOKENIZER.eos_id, 2
STRINGS = ("1+0", "00")


def ended(ids, stop_ids):
    """The tokens up to the first stop token, and whether there is one."""
    places = [place for place, token in enumerate(ids) if token in stop_ids]
    return (ids[: places[0] + 1], True) if places else (ids, False)


def first_stop(ids):
    """The fewest tokens whose text contains a stop string, and the text before it."""
    for length in range(1, len(ids) + 1):
        text = TOKENIZER.decode(ids[:length])
        starts = [text.index(string) for string in STRINGS if string in text]
        if starts:
            return length, text[: min(starts)]
    return None


def drawn(rows, num_steps):
    """What the decode loop returns for these tokens of each row."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(num_steps) < lengths[:, None]
    tokens = np.full(mask.shape, 7)  # nothing may be read where nothing was drawn
    tokens[mask] = np.concatenate(rows) if lengths.sum() else []
    return Drawn(tokens, np.where(mask, -0.5 - tokens, 9.0), mask)


@given(data=st.data(), several=st.booleans(), with_strings=st.booleans())
def test_a_transcript_is_each_completion_cut_where_it_ends(data, several, with_strings):
    limits = np.array(data.draw(st.lists(st.integers(1, 9), min_size=6, max_size=6))).reshape(2, 3)
    stop_ids = (END, OTHER_END) if several else (END,)
    token = st.sampled_from([0, 0, 1, 1, OTHER_END, END])
    sources = [
        ended(data.draw(st.lists(token, min_size=limit, max_size=limit)), stop_ids)
        for limit in limits.ravel().tolist()
    ]
    transcript = Transcript(TOKENIZER, Stop(stop_ids, STRINGS if with_strings else ()), limits)
    while not transcript.ended.all():
        live = np.flatnonzero(~transcript.ended)
        numbers = np.array(data.draw(st.permutations(live.tolist())))[
            : data.draw(st.integers(1, 6))
        ]
        steps = data.draw(st.integers(1, 4))
        done = transcript.lengths[numbers]
        rows = [
            sources[number][0][start : start + steps]
            for number, start in zip(numbers, done, strict=True)
        ]
        transcript.add(numbers, drawn(rows, steps))
    found = transcript.completions()
    for number, (ids, finished) in enumerate(sources):
        stop = first_stop(ids) if with_strings else None
        text = TOKENIZER.decode(ids[:-1] if finished else ids)
        if stop is not None:
            ids, finished, text = ids[: stop[0]], True, stop[1]
        at = divmod(number, 3)
        width = found.tokens.shape[-1]
        assert found.tokens[at].tolist() == ids + [TOKENIZER.pad_id] * (width - len(ids))
        assert found.completion_mask[at].tolist() == [True] * len(ids) + [False] * (
            width - len(ids)
        )
        assert found.logprobs[at].tolist() == [-0.5 - t for t in ids] + [0.0] * (width - len(ids))
        assert (found.finished[at], found.texts[at[0]][at[1]]) == (finished, text)
    assert transcript.progress() == Progress(6, 6, int(found.completion_mask.sum()))


def test_progress_counts_what_has_ended_so_far():
    transcript = Transcript(TOKENIZER, Stop((END,), ()), np.array([[2, 3]]))
    transcript.add(np.array([1, 0]), drawn([[1, 1], [0]], 2))
    assert transcript.progress() == Progress(num_ended=0, num_completions=2, num_tokens=3)
    transcript.add(np.array([0]), drawn([[0]], 2))  # cut at its limit
    transcript.add(np.array([1]), drawn([[END]], 2))  # finished
    assert transcript.ended.all()
    assert transcript.finished.tolist() == [False, True]
