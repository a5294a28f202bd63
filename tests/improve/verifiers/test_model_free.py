"""Majority, likelihood and the exact grader, and what of the grader each lets through."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.improve import (
    Candidates,
    ExactVerifier,
    LikelihoodVerifier,
    MajorityVerifier,
    Prompts,
    self_improve,
)
from jaxgap.improve.select import select
from jaxgap.tasks import Addition, Problem, TaskSplit

KEY = jax.random.key(0)


def prompts_of(tokenizer):
    return Prompts.encode(tokenizer, ["1+2=", "3+4="])


def test_a_score_is_the_share_of_votes(tiny_model, candidates_of):
    candidates = candidates_of((("3", " 3", "4", ""), ("7", "8", "9", "7.0")))
    verifier = MajorityVerifier(lambda texts: [text.strip().removesuffix(".0") for text in texts])
    scores = verifier({}, prompts_of(tiny_model.tokenizer), candidates, KEY)
    np.testing.assert_array_equal(scores, [[0.5, 0.5, 0.25, 0.0], [0.5, 0.25, 0.25, 0.5]])


def test_votes_are_counted_for_each_prompt_alone(tiny_model, candidates_of):
    candidates = candidates_of((("3", "3"), ("3", "4")))
    verifier = MajorityVerifier(Addition().canonical_answers)
    scores = verifier({}, prompts_of(tiny_model.tokenizer), candidates, KEY)
    np.testing.assert_array_equal(scores, [[1, 1], [0.5, 0.5]])


def test_the_exact_grader_scores_as_it_grades(tiny_model, candidates_of):
    split = TaskSplit((Problem("1+2=", "3"),), (Problem("3+4=", "7"),))
    verifier = ExactVerifier(Addition(), split)
    candidates = candidates_of((("3", "7"), ("3", "7")))
    scores = verifier({}, prompts_of(tiny_model.tokenizer), candidates, KEY)
    np.testing.assert_array_equal(scores, [[1, 0], [0, 1]])
    assert scores.dtype == np.float64
    other = Prompts.encode(tiny_model.tokenizer, ["5+5=", "1+2="])
    with pytest.raises(ValueError, match=r"prompts must be of the split, got '5\+5='"):
        verifier({}, other, candidates, KEY)


def test_likelihood_chooses_the_likeliest_per_token_at_any_threshold(tiny_model):
    rng = np.random.default_rng(0)
    mask = np.arange(6) < rng.integers(0, 7, (40, 5))[..., None]
    logprobs = -rng.exponential(size=mask.shape) * mask
    candidates = Candidates(mask.astype(int), mask, logprobs, mask[..., 0], ())
    scores = LikelihoodVerifier()({}, prompts_of(tiny_model.tokenizer), candidates, KEY)
    assert ((scores >= 0) & (scores <= 1)).all()
    np.testing.assert_array_equal(scores == 0, ~mask.any(-1))
    some = mask.any((1, 2))
    best = np.where(mask.any(-1), -logprobs.sum(-1) / np.maximum(mask.sum(-1), 1), np.inf).argmin(1)
    for threshold in (0.0, 0.3, 0.9):
        chosen = select(candidates, scores, threshold).index
        np.testing.assert_array_equal(chosen[some], best[some])


@pytest.mark.parametrize("name", ["majority", "exact"])
def test_only_the_exact_grader_lets_answers_reach_training(make_loop, tiny_params, scrambled, name):
    def trained(task):
        loop = make_loop(task, num_rounds=1)
        verifier = {
            "majority": MajorityVerifier(task.canonical_answers),
            "exact": ExactVerifier(task, loop.split),
        }[name]
        loop = dataclasses.replace(loop, verifier=verifier)
        *_, last = self_improve(loop, loop.init_state(jax.tree.map(jnp.copy, tiny_params)))
        return jax.device_get(last.state.params)

    own, others = (jax.tree.leaves(trained(task)) for task in (Addition(), scrambled))
    same = all(a.tobytes() == b.tobytes() for a, b in zip(own, others, strict=True))
    assert same == (name == "majority")
