"""Candidates end where their prompts say."""

import dataclasses

import jax

from jaxgap.improve import Prompts
from jaxgap.improve.generate import generate


def test_a_completion_ends_at_a_stop_string_of_its_prompts(tiny_model, tiny_params):
    prompts = Prompts.encode(tiny_model.tokenizer, ["1+2=", "30+4="])
    stopping = dataclasses.replace(prompts, stop_strings=("1", "3"))

    def drawn(prompts):
        return generate(
            tiny_model, tiny_params, prompts, jax.random.key(0),
            num_candidates=8, max_new_tokens=12, prompts_per_call=2,
        )  # fmt: skip

    free, stopped = drawn(prompts), drawn(stopping)
    num_stopped = 0
    for one, other in zip(sum(free.texts, ()), sum(stopped.texts, ()), strict=True):
        assert other == one.partition("1")[0].partition("3")[0]
        num_stopped += one != other
    assert num_stopped > 3
