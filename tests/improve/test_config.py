"""Bad configurations are refused in one line that names the field."""

import dataclasses

import pytest

from jaxgap.improve import ImproveConfig
from jaxgap.improve.presets import demo, weak_verifier


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_rounds": 0}, "num_rounds must be at least 1, got 0"),
        ({"num_candidates": -2}, "num_candidates must be at least 1, got -2"),
        ({"threshold": 1.5}, "threshold must be between 0 and 1, got 1.5"),
        ({"threshold": float("nan")}, "threshold must be between 0 and 1, got nan"),
        ({"learning_rate": 0.0}, "learning_rate must be positive and finite, got 0.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be positive and finite, got inf"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, got -1.0"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"batch_size": 600}, "batch_size must be at most num_train_prompts=512, got 600"),
        ({"verifier": "oracle"}, "verifier must be careful, careless or random, got 'oracle'"),
    ],
)
def test_bad_values_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ImproveConfig(**change)


def test_the_presets_differ_in_the_verifier_alone():
    assert dataclasses.replace(weak_verifier, verifier=demo.verifier) == demo
    assert (demo.verifier, weak_verifier.verifier) == ("careful", "careless")
