"""Prompts and completions that do not fit the model's context are refused before a run begins."""

import dataclasses

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, assemble
from jaxgap.improve.context_checks import check_windows
from jaxgap.models import LongRope
from jaxgap.tasks import Addition, Problem


def test_a_prompt_without_a_token_is_refused():
    class OneEmpty(Addition):
        def problems(self, count, *, seed):
            return [Problem("", "0"), *super().problems(count - 1, seed=seed)]

    config = ImproveConfig(num_train_prompts=3, num_held_out_prompts=3, batch_size=3)
    with pytest.raises(InputError, match="a prompt has no tokens: give each problem of the task"):
        assemble(config, OneEmpty())


def test_completions_that_leave_the_window_of_longrope_are_refused(tiny_model):
    factors = (1.0,) * (tiny_model.config.head_dim // 2)
    scaling = LongRope(factors, factors, original_length=64, magnitude=1.0)
    config = dataclasses.replace(tiny_model.config, rope_scaling=scaling)
    check_windows(config, np.array([10, 48, 65]), 16)
    with pytest.raises(InputError, match="at most 15 new tokens, or leave such prompts out"):
        check_windows(config, np.array([10, 49, 65]), 16)
    with pytest.raises(InputError, match="rotary frequencies change: leave such prompts out"):
        check_windows(config, np.array([64]), 16)
    check_windows(tiny_model.config, np.array([49]), 16)


def test_completions_that_end_with_the_context_cross_no_window(tiny_model):
    factors = (1.0,) * (tiny_model.config.head_dim // 2)
    scaling = LongRope(factors, factors, original_length=64, magnitude=1.0)
    config = dataclasses.replace(tiny_model.config, rope_scaling=scaling, context_length=64)
    check_windows(config, np.array([10, 49]), 16)
    with pytest.raises(InputError, match="a prompt of 49 tokens and max_new_tokens=16 cross"):
        check_windows(dataclasses.replace(config, context_length=65), np.array([10, 49]), 16)
