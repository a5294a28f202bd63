"""The decode loop against a full forward for every token, and how its calls may be divided."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.sampling import SamplingParams, pad_left
from jaxgap.sampling.decode import Drawn, Rows, decode
from jaxgap.sampling.draw import draw_first
from jaxgap.sampling.prefix import prefill
from jaxgap.sampling.ring import init_ring, ring_shapes

PROMPTS = [[1, 10, 2], [7, 3, 10, 4, 4, 11], [5, 0]]
NUM_CANDIDATES, NUM_STEPS = 2, 6
NUM_ROWS = len(PROMPTS) * NUM_CANDIDATES
GREEDY = SamplingParams(0.0)
NO_STOP = (-1, -1)


@pytest.fixture(scope="module")
def params(tiny_params):
    """Parameters whose next-token distribution is far from uniform."""
    return jax.tree.map(lambda x: 2 * x, tiny_params)


@pytest.fixture(scope="module")
def next_logprobs(tiny_model, params):
    """The log-probabilities of the token after a sequence, by a forward pass over all of it."""
    apply = jax.jit(tiny_model.apply)

    def of(tokens):
        logits, _ = apply(params, *pad_left([tokens], 16, tiny_model.tokenizer.pad_id))
        return np.asarray(jax.nn.log_softmax(logits[0, -1]))

    return of


@pytest.fixture(scope="module")
def run(tiny_model, params):
    """Draw first tokens, then decode, in a call for each `min_live`; keywords change the rows."""

    def call(*min_lives, sampling_params=GREEDY, stop_ids=NO_STOP, **changes):
        prompts = pad_left(PROMPTS, 8, tiny_model.tokenizer.pad_id)
        prefix, logits = prefill(tiny_model, params, prompts)
        ring = init_ring(ring_shapes(tiny_model.config, NUM_ROWS, 8, jnp.float32))
        full = jnp.full(NUM_ROWS, NUM_STEPS)
        rows = Rows(full, full, full, full > 0, jnp.arange(NUM_ROWS))
        rows = rows._replace(**{name: jnp.asarray(value) for name, value in changes.items()})
        row_ids = rows.row_ids.reshape(-1, NUM_CANDIDATES)
        first = draw_first(logits, jax.random.key(0), row_ids, sampling_params.traced())
        tokens, logprobs = (np.reshape(each, (-1, 1)) for each in first)
        parts = [Drawn(tokens, logprobs, rows.live[:, None])]
        tokens, stops = jnp.asarray(tokens[:, 0]), jnp.array(stop_ids)
        live = rows.live & ~jnp.isin(tokens, stops) & (rows.limits > 1)
        rows = rows._replace(tokens=tokens, num_generated=rows.live.astype(int), live=live)
        for min_live in min_lives:
            ring, rows, drawn = decode(
                tiny_model,
                params,
                prefix,
                ring,
                rows,
                jax.random.key(0),
                sampling_params.traced(),
                stops,
                jnp.int32(min_live),
                max_steps=NUM_STEPS - 1,
            )
            parts.append(drawn)
        return rows, [np.concatenate(each, axis=1) for each in zip(*parts, strict=True)]

    return call


def test_greedy_tokens_are_those_of_a_full_forward_each(run, next_logprobs):
    limits = np.array([6, 2, 6, 5, 6, 1])
    live = np.array([True, True, True, True, False, True])
    stop = int(run(1)[1][0][2, 3])  # the fourth token of the second prompt's first candidate
    rows, (tokens, logprobs, mask) = run(1, stop_ids=(99, stop), limits=limits, live=live)
    for row, prompt in enumerate(np.repeat(np.arange(len(PROMPTS)), NUM_CANDIDATES)):
        text, expected, is_live = list(PROMPTS[prompt]), [], live[row]
        while is_live:
            found = next_logprobs(text)
            text.append(int(found.argmax()))
            expected.append(found.max())
            is_live = text[-1] != stop and len(expected) < limits[row]
        num = len(expected)
        assert mask[row].tolist() == [True] * num + [False] * (NUM_STEPS - num)
        assert tokens[row, :num].tolist() == text[len(PROMPTS[prompt]) :]
        np.testing.assert_allclose(logprobs[row, :num], expected, atol=1e-4)
        assert rows.num_generated[row] == num
    assert not np.asarray(rows.live).any()
    assert mask[2].sum() < limits[2]  # ended by the stop token


def test_steps_may_be_divided_between_calls(run):
    limits = np.array([6, 2, 6, 6, 6, 6])
    options = {"sampling_params": SamplingParams(), "limits": limits}
    whole, at_once = run(1, **options)
    parts, divided = run(NUM_ROWS, 1, **options)  # the first call returns after a step
    jax.tree.map(np.testing.assert_array_equal, whole, parts)
    assert divided[2][:, :NUM_STEPS].sum(1).tolist() == [2] * NUM_ROWS
    for ours, expected in zip(divided, at_once, strict=True):
        np.testing.assert_allclose(ours[divided[2]], expected[at_once[2]], atol=1e-5)


def test_a_row_draws_from_the_stream_of_its_id(run):
    _, (tokens, _, _) = run(1, sampling_params=SamplingParams())
    assert len(set(map(tuple, tokens.tolist()))) == NUM_ROWS
    swapped = np.arange(NUM_ROWS).reshape(-1, NUM_CANDIDATES)[:, ::-1].ravel()
    _, (others, _, _) = run(1, sampling_params=SamplingParams(), row_ids=swapped)
    np.testing.assert_array_equal(others, tokens[swapped])


@pytest.mark.parametrize("min_live", [1, 2, 4, 6])
def test_the_loop_ends_when_too_few_rows_are_live(run, min_live):
    rows, (_, _, mask) = run(min_live, limits=np.arange(1, NUM_ROWS + 1))
    num_steps = NUM_ROWS - min_live + 1  # one row ends at each step
    assert mask.sum(0).tolist() == [NUM_ROWS - s if s < num_steps else 0 for s in range(NUM_STEPS)]
    assert int(rows.live.sum()) == min_live - 1
