"""A loop small enough for tests: a decoder of a few thousand random parameters, and sums."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgap.improve import AskingVerifier, Candidates, ImproveConfig, Loop, Question
from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
from jaxgap.tasks import AbstractTask, Addition, Problem

CONFIG = ImproveConfig(
    num_rounds=2,
    num_train_prompts=12,
    num_held_out_prompts=10,
    num_candidates=4,
    learning_rate=1e-2,
    batch_size=4,
    max_new_tokens=5,
    prompts_per_call=8,
    seed=3,
).resolved()


@pytest.fixture(scope="session")
def tiny_model():
    tokenizer = CharTokenizer("0123456789+=?:TF")
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=2,
        num_kv_heads=1,
        head_dim=16,
    )
    return LanguageModel(config, tokenizer)


@pytest.fixture
def tiny_params(tiny_model):
    """Drawn anew for each test, since training donates its buffers."""
    return jax.tree.map(lambda x: 3 * x, tiny_model.init(jax.random.key(0)))


@pytest.fixture
def make_loop(tiny_model):
    """Build the loop around a task (Addition unless given)."""

    def make(task=None, **changes):
        config = dataclasses.replace(CONFIG, **changes)
        task = Addition() if task is None else task
        question = Question("?{prompt}{completion}:", (("T", 1.0), ("F", 0.0)))
        verifier = AskingVerifier(tiny_model, question, rows_per_call=32, prompts_per_call=8)
        split = task.split(config.num_train_prompts, config.num_held_out_prompts, seed=config.seed)
        return Loop(config, tiny_model, verifier, task, split)

    return make


@pytest.fixture
def candidates_of():
    """Candidates of one token each, of which nothing but their texts matters."""

    def make(texts):
        mask = np.ones((len(texts), len(texts[0]), 1), bool)
        return Candidates(
            mask.astype(int), mask, -1.0 * mask, mask[..., 0], tuple(map(tuple, texts))
        )

    return make


class Scrambled(AbstractTask):
    """Sums with other answers and the opposite grader."""

    def problems(self, count, *, seed):
        drawn = Addition().problems(count, seed=seed)
        return [Problem(problem.prompt, problem.answer[::-1] + "0") for problem in drawn]

    def grade(self, problem, completion):
        return len(completion) % 2 == 0

    def canonical_answer(self, completion):
        return completion


@pytest.fixture
def scrambled():
    """The prompts of Addition, of which every answer and every grade is another."""
    return Scrambled()
