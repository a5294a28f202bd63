"""What is refused before a run begins, and in which order."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, assemble
from jaxgap.tasks import Addition, Problem


def test_a_wrong_task_does_not_wait_for_the_weights(tmp_path):
    missing = ImproveConfig(model=str(tmp_path / "model"), task=f"gsm8k:{tmp_path}/typo.jsonl")
    with pytest.raises(InputError, match=r"typo\.jsonl"):
        assemble(missing)
    with pytest.raises(InputError, match="model"):
        assemble(dataclasses.replace(missing, task="addition"))


def test_a_task_of_ones_own_is_what_the_whole_run_is_of(candidates_of):
    class FirstDigit(Addition):
        def problems(self, count, *, seed):
            drawn = super().problems(count, seed=seed)
            return [Problem(problem.prompt, problem.answer[:1]) for problem in drawn]

        def canonical_answer(self, completion):
            return completion[:1]

    config = ImproveConfig(
        verifier="majority", num_train_prompts=3, num_held_out_prompts=3, batch_size=3
    )
    loop, _ = assemble(config, FirstDigit())
    assert isinstance(loop.task, FirstDigit)
    assert {len(problem.answer) for problem in (*loop.split.train, *loop.split.held_out)} == {1}
    candidates = candidates_of((("12", "13"),) * 3)
    scores = loop.verifier({}, loop.train_prompts, candidates, jax.random.key(0))
    np.testing.assert_array_equal(scores, 1.0)  # both answers begin alike
