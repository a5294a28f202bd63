"""Means over prompts, the unit that is sampled."""

import math

import numpy as np
import pytest

from jaxgap.improve import MeanWithError


def test_standard_error_is_over_prompts():
    values = np.random.default_rng(0).normal(size=(400, 7))
    estimate = MeanWithError.over_prompts(values)
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.stderr == pytest.approx(values.mean(1).std(ddof=1) / 20)


def test_of_one_prompt_no_error_is_known():
    alone = MeanWithError.over_prompts(np.array([[0.0, 1.0]]))
    assert alone.mean == 0.5
    assert math.isnan(alone.stderr)
