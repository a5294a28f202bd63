"""The cost of a run counts the tokens that its model reads and trains on, as often as it does."""

import jax
import pytest

from jaxgap.improve import self_improve
from jaxgap.improve.cost import run_cost
from jaxgap.improve.loop import Observer
from jaxgap.improve.measure import assess, measure
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.sampling import continued_logits
from jaxgap.tasks import AbstractTask, Addition, Problem
from jaxgap.training import pack


class SumsOfDigits(AbstractTask):
    """Sums whose prompts are equally long."""

    def problems(self, count, *, seed):
        return [Problem(f"{i // 10}+{i % 10}=", str(i // 10 + i % 10)) for i in range(count)]

    def grade(self, problem, completion):
        return Addition().grade(problem, completion)


def test_judging_reads_a_problem_once_and_each_candidate(make_loop, tiny_params, monkeypatch):
    loop, read = make_loop(max_new_tokens=12), []

    def record(model, params, prefixes, prefix_of, rests):
        read.append(int(prefixes.mask.sum() + rests.mask.sum()))
        return continued_logits(model, params, prefixes, prefix_of, rests)

    monkeypatch.setattr("jaxgap.improve.verifiers.asking.continued_logits", record)
    prompts, state = loop.prompts("train"), loop.init_state(tiny_params)
    answered = loop.answer(state, prompts, jax.random.key(0), Observer())
    candidates = answered[0]
    assert all(len(set(texts)) == len(texts) for texts in candidates.texts)
    split = measure(*answered, assess(loop.task, loop.split.train, candidates))
    cost = run_cost(loop, tiny_params, [RoundMetrics(i, split, split) for i in range(2)])
    assert cost.sampled == pytest.approx(candidates.mask.sum())
    # A model of random weights draws the padding id, too, which no text shows.
    unseen = (candidates.tokens[candidates.mask] == loop.model.tokenizer.pad_id).sum()
    assert cost.read == pytest.approx(prompts.batch.mask.sum() + sum(read) + unseen)


def test_what_a_pass_leaves_out_is_not_trained_on(make_loop, tiny_params, monkeypatch):
    # Of completions of one token, each as long as another, it does not matter which are left out.
    loop = make_loop(SumsOfDigits(), max_new_tokens=1, batch_size=5, epochs_per_round=2)
    trained = []

    def record(examples, shape):
        trained.append(int(examples.prompts.mask.sum() + examples.mask.sum()))
        return pack(examples, shape)

    monkeypatch.setattr("jaxgap.improve.train.pack", record)
    metrics = [each.metrics for each in self_improve(loop, loop.init_state(tiny_params))]
    shapes = jax.eval_shape(loop.model.init, jax.random.key(0))
    assert run_cost(loop, shapes, metrics).trained == pytest.approx(sum(trained))
