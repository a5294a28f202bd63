"""The loop: no answer reaches training, one seed gives one run, every stage can stop it."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, Watcher, self_improve
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.generate import generate
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import CharTokenizer, LanguageModel
from jaxgap.tasks import Addition


@dataclasses.dataclass
class Undecided(AbstractVerifier):
    """The same score for every candidate."""

    score: float

    def __call__(self, params, prompts, candidates, key):
        return np.full(candidates.lengths.shape, self.score)


def run_through(loop, params):
    """All metrics, and the parameters after the last round."""
    metrics, last = [], None
    for checkpoint in self_improve(loop, loop.init_state(jax.tree.map(jnp.copy, params))):
        metrics.append(checkpoint.metrics)
        last = checkpoint.state
    assert last is not None
    return metrics, jax.device_get(last.params)


def test_no_answer_reaches_training(make_loop, tiny_params, scrambled):
    metrics, params = run_through(make_loop(), tiny_params)
    scrambled_metrics, scrambled_params = run_through(make_loop(scrambled), tiny_params)
    for mine, other in zip(jax.tree.leaves(params), jax.tree.leaves(scrambled_params), strict=True):
        assert mine.tobytes() == other.tobytes()
    own, others = ([m.held_out for m in each] for each in (metrics, scrambled_metrics))
    assert [m.solver for m in own] == [m.solver for m in others]
    assert [m.solver_accuracy for m in own] != [m.solver_accuracy for m in others]


def test_same_seed_same_bytes(make_loop, tiny_params):
    first, first_params = run_through(make_loop(), tiny_params)
    second, second_params = run_through(make_loop(), tiny_params)
    assert [repr(m) for m in first] == [repr(m) for m in second]
    jax.tree.map(np.testing.assert_array_equal, first_params, second_params)
    other, _ = run_through(make_loop(seed=4), tiny_params)
    assert [m.held_out.solver for m in other] != [m.held_out.solver for m in first]


def test_checkpoints_count_rounds_from_the_model_as_given(make_loop, tiny_params):
    metrics, params = run_through(make_loop(num_rounds=2), tiny_params)
    assert [m.round_index for m in metrics] == [0, 1, 2]
    before = jax.tree.leaves(tiny_params)
    assert any((a != b).any() for a, b in zip(before, jax.tree.leaves(params), strict=True))


def test_a_run_continues_from_its_state(make_loop, tiny_params):
    whole, whole_params = run_through(make_loop(num_rounds=2), tiny_params)
    loop = make_loop(num_rounds=1)
    *_, last = self_improve(loop, loop.init_state(jax.tree.map(jnp.copy, tiny_params)))
    rest, params = [], None
    for state, _, measured in self_improve(make_loop(num_rounds=2), last.state):
        rest.append(measured)
        params = state.params
    assert [repr(m) for m in rest] == [repr(m) for m in whole[1:]]
    jax.tree.map(np.testing.assert_array_equal, params, whole_params)


def test_a_run_continues_from_what_a_checkpoint_was_to_train_on(make_loop, tiny_params):
    whole, whole_params = run_through(make_loop(num_rounds=2), tiny_params)
    loop = make_loop(num_rounds=2)
    run = self_improve(loop, loop.init_state(jax.tree.map(jnp.copy, tiny_params)))
    next(run)
    state, training_set, _ = next(run)
    rest = list(self_improve(loop, state, training_set=training_set))
    assert [repr(checkpoint.metrics) for checkpoint in rest] == [repr(whole[2])]
    jax.tree.map(np.testing.assert_array_equal, rest[0].state.params, whole_params)


def test_numbers_that_blow_up_are_reported(make_loop, tiny_params):
    loop = make_loop(learning_rate=1e30, clip_norm=1e30)
    with pytest.raises(NotFinite, match=r"round [01] is NaN or infinite"):
        list(self_improve(loop, loop.init_state(tiny_params)))


def test_a_run_can_be_stopped_between_any_stages(make_loop, tiny_params):
    loop, seen = make_loop(num_rounds=1), []
    state = loop.init_state(jax.tree.map(jnp.copy, tiny_params))
    note = Watcher(on_stage=lambda round_index, stage: seen.append((round_index, stage)))
    for _ in self_improve(loop, state, note):
        pass
    stages = ["generate", "verify", "select", "measure", "train"]
    assert seen == [(0, stage) for stage in stages] + [(1, stage) for stage in stages[:-1]]

    class Stop(Exception):
        pass

    for where in range(len(seen)):
        visited = []

        def stop(round_index, stage, visited=visited, where=where):
            visited.append(stage)
            if len(visited) == where + 1:
                raise Stop(f"at {stage}")

        state = loop.init_state(jax.tree.map(jnp.copy, tiny_params))
        with pytest.raises(Stop, match=f"at {seen[where][1]}"):
            list(self_improve(loop, state, Watcher(on_stage=stop)))


def test_generation_does_not_depend_on_how_prompts_are_batched(make_loop, tiny_model, tiny_params):
    prompts = make_loop().train_prompts
    settings = {"num_candidates": 3, "max_new_tokens": 4}
    key = jax.random.key(0)
    one, other = (
        generate(tiny_model, tiny_params, prompts, key, prompts_per_call=size, **settings)
        for size in (5, 12)
    )
    assert one.texts == other.texts
    np.testing.assert_array_equal(one.tokens, other.tokens)
    np.testing.assert_allclose(one.logprobs, other.logprobs, atol=1e-4)


def test_a_score_that_is_not_a_number_is_reported(make_loop, tiny_params):
    loop = dataclasses.replace(make_loop(), verifier=Undecided(np.nan))
    with pytest.raises(NotFinite, match="a verifier's score in round 0 is NaN or infinite"):
        next(self_improve(loop, loop.init_state(tiny_params)))


class Verdicts(AbstractVerifier):
    """Yes or no, as a list."""

    def __call__(self, params, prompts, candidates, key):
        return (candidates.lengths > 2).tolist()


class Answered(Addition):
    """A grader that gives what it found, or nothing, and a canonical answer of its own."""

    def grade(self, problem, completion):
        return re.match(r"\d", completion)

    def canonical_answer(self, completion):
        return completion[:1]


def test_a_verifier_and_a_grader_may_say_yes_and_no_as_they_like(make_loop, tiny_params):
    loop = dataclasses.replace(make_loop(Answered()), verifier=Verdicts())
    metrics = next(self_improve(loop, loop.init_state(tiny_params))).metrics.held_out
    assert 0 < metrics.solver_accuracy.mean < 1
    brier = 1 - metrics.judging_accuracy.mean
    assert metrics.judging_brier.mean == pytest.approx(brier)


@pytest.mark.parametrize(("score", "fallback"), [(0.0, 1.0), (1.0, 0.0)])
def test_scores_that_are_all_the_same_are_no_fault(make_loop, tiny_params, score, fallback):
    loop = dataclasses.replace(make_loop(), verifier=Undecided(score))
    metrics, params = run_through(loop, tiny_params)
    assert metrics[-1].held_out.fallback.mean == fallback
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def test_completions_without_any_text_are_no_fault(make_loop, tiny_model, tiny_params):
    """Every token ends a completion."""

    class Mute(CharTokenizer):
        @property
        def stop_ids(self):
            return tuple(range(self.vocab_size))

    model = LanguageModel(tiny_model.config, Mute(tiny_model.tokenizer.characters))
    loop = make_loop()
    verifier = dataclasses.replace(loop.verifier, model=model)
    loop = dataclasses.replace(loop, model=model, verifier=verifier)
    metrics, params = run_through(loop, tiny_params)
    assert metrics[-1].held_out.solver_length.mean == 1
    assert all(np.isfinite(value) for value in metrics[-1].row().values())
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"warm_up_steps": 2}, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        ({"schedule": "linear", "warm_up_steps": 2}, [1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25]),
        ({"schedule": "cosine"}, [(1 + np.cos(np.pi * i / 6)) / 2 for i in range(6)]),
    ],
)
def test_the_learning_rate_follows_its_schedule_over_all_rounds(make_loop, changes, expected):
    """Two rounds of three steps."""
    loop = make_loop(learning_rate=1.0, **changes)
    rate = loop.optimizer.schedule.as_optax()
    np.testing.assert_allclose([rate(step) for step in range(6)], expected, atol=1e-6)


def test_computing_layers_again_changes_rounding_alone(make_loop, tiny_params):
    settings = {"num_rounds": 1, "learning_rate": 1e-3}
    assert make_loop(remat=True).computation != make_loop().computation
    _, plain = run_through(make_loop(**settings), tiny_params)
    _, again = run_through(make_loop(**settings, remat=True), tiny_params)
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(plain), strict=True):
        # Where a slope is as small as rounding AdamW's steps have any sign.
        assert np.abs(ours - theirs).mean() < 1e-5


def test_a_warm_up_longer_than_the_run_is_refused():
    with pytest.raises(InputError, match="warm_up_steps must be 0 to 95, fewer than the run's"):
        ImproveConfig(warm_up_steps=96)


def test_a_state_without_an_optimiser_is_refused_before_anything_is_sampled(make_loop, tiny_params):
    loop = make_loop()
    state = loop.init_state(tiny_params)._replace(opt_state=None)
    with pytest.raises(ValueError, match=r"state\.opt_state must be .* got None"):
        next(self_improve(loop, state, Watcher(on_stage=lambda *_: pytest.fail("a stage began"))))
