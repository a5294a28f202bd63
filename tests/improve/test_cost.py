"""The cost of a run counts the tokens that its model reads and trains on, as often as it does."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgap.improve import MeanWithError, self_improve
from jaxgap.improve.cost import product_parameters, run_cost
from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.grading import assess
from jaxgap.improve.loop import generate_verify_select
from jaxgap.improve.measure import measure
from jaxgap.improve.measures.metrics import RoundMetrics, SplitMetrics, TrainingSummary
from jaxgap.sampling import continued_logits
from jaxgap.training import pack


def test_judging_reads_a_problem_once_and_each_candidate(make_loop, tiny_params, monkeypatch):
    loop, read = make_loop(max_new_tokens=12), []

    def record(model, params, prefixes, prefix_of, suffixes):
        read.append(int(prefixes.mask.sum() + suffixes.mask.sum()))
        return continued_logits(model, params, prefixes, prefix_of, suffixes)

    monkeypatch.setattr("jaxgap.improve.verifiers.asking.continued_logits", record)
    prompts, state = loop.train_prompts, loop.init_state(tiny_params)
    answers = generate_verify_select(loop, state, prompts, jax.random.key(0))
    candidates = answers.candidates
    assert all(len(set(texts)) == len(texts) for texts in candidates.texts)
    split = measure(*answers, assess(loop.task, loop.split.train, candidates))
    cost = run_cost(loop, tiny_params, [RoundMetrics(i, split, split) for i in range(2)])
    assert cost.sampled == pytest.approx(candidates.completion_mask.sum())
    # A model of random weights draws the padding id, too, which no text shows.
    unseen = (candidates.tokens[candidates.completion_mask] == loop.model.tokenizer.pad_id).sum()
    assert cost.read == pytest.approx(prompts.batch.mask.sum() + sum(read) + unseen)


@pytest.mark.parametrize("external", [pytest.param(False, marks=pytest.mark.slow), True])
def test_what_a_round_trains_on_is_what_its_steps_read(
    make_loop, tiny_params, monkeypatch, external
):
    """A pass leaves a remainder out; a stronger model's responses are as long as they are."""
    loop = make_loop(batch_size=5, epochs_per_round=2)
    if external:
        responses = ExternalResponses(np.array([2, 7]), ((1,) * 9, (2, 3)), np.array([1, 2]))
        loop = dataclasses.replace(loop, external=responses)
    batches = []

    def record(examples, shape):
        batches.append(pack(examples, shape))
        return batches[-1]

    monkeypatch.setattr("jaxgap.improve.train.pack", record)
    loop = dataclasses.replace(loop, config=dataclasses.replace(loop.config, max_new_tokens=9))
    metrics = [each.metrics for each in self_improve(loop, loop.init_state(tiny_params))]
    shapes = jax.eval_shape(loop.model.init, jax.random.key(0))
    assert run_cost(loop, shapes, metrics).trained == sum(each.num_tokens for each in batches)
    per_round = len(batches) // loop.config.num_rounds
    for number, each in enumerate(metrics[1:]):
        of_round = batches[number * per_round : (number + 1) * per_round]
        assert each.training.trained_tokens == sum(batch.num_tokens for batch in of_round)
        assert each.training.target_tokens == sum((batch.weights > 0).sum() for batch in of_round)


def test_operations_are_those_of_the_products(make_loop, tiny_params):
    """Each token passes the layers; the vocabulary is only for those that are predicted."""
    loop = make_loop()
    metrics = [each.metrics for each in self_improve(loop, loop.init_state(tiny_params))]
    shapes = jax.eval_shape(loop.model.init, jax.random.key(0))
    cost = run_cost(loop, shapes, metrics)
    layers, vocabulary = product_parameters(loop, shapes)
    judged = drawn = 2 * len(loop.split.train) * loop.config.num_candidates
    targets = sum(each.training.target_tokens for each in metrics[1:])
    assert cost.flops == pytest.approx(
        2 * layers * (cost.sampled - drawn + cost.read)
        + 2 * vocabulary * (cost.sampled + judged)
        + 6 * (layers * cost.trained + vocabulary * targets)
    )


def test_where_adapters_alone_are_trained_an_update_is_four_operations_a_parameter(
    make_loop, tiny_params
):
    """Their base's gradient, two of the six, is not computed."""
    loop = make_loop()
    nothing = SplitMetrics(
        **{field.name: MeanWithError(0.5, 0.0) for field in dataclasses.fields(SplitMetrics)}
    )
    training = TrainingSummary(1.0, 1.0, 1.0, trained_tokens=30.0, target_tokens=10.0)
    metrics = [RoundMetrics(0, nothing, nothing), RoundMetrics(1, nothing, nothing, training)]
    held = dataclasses.replace(loop, frozen=tiny_params)
    layers, vocabulary = product_parameters(loop, tiny_params)
    less = run_cost(loop, tiny_params, metrics).flops - run_cost(held, {}, metrics).flops
    assert less == pytest.approx(2 * (30 * layers + 10 * vocabulary))
