"""Bad configurations are refused in one line that names the field."""

import dataclasses
import enum
import json
from pathlib import Path

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.presets import DEMO, WEAK_VERIFIER


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_rounds": 0}, "num_rounds must be at least 1, got 0"),
        ({"num_held_out_prompts": 1}, "num_held_out_prompts must be at least 2, .*, got 1"),
        ({"num_candidates": -2}, "num_candidates must be at least 1, got -2"),
        ({"threshold": 1.5}, "threshold must be between 0 and 1, got 1.5"),
        ({"threshold": float("nan")}, "threshold must be between 0 and 1, got nan"),
        ({"learning_rate": -1.0}, "learning_rate must be 0 or more, and finite, got -1.0"),
        ({"learning_rate": float("inf")}, "learning_rate must be 0 or more, and finite, got inf"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, got -1.0"),
        ({"seed": -1}, "seed must be between 0 and"),
        ({"batch_size": 600}, "batch_size must be at most num_train_prompts=512, got 600"),
        ({"verifier": "oracle"}, "verifier must be one of true-false, .*, got 'oracle'"),
        ({"candidates": "none"}, "candidates must be one of regenerated, fixed, got 'none'"),
        ({"dtype": "float16"}, "dtype must be one of float32, bfloat16, got 'float16'"),
        ({"task": "gsm8k:f"}, "task must be addition with the embedded model, got 'gsm8k:f'"),
        ({"verifier": "grade"}, "verifier must be another: this model has no grades"),
        ({"model": "x", "verifier": "careless"}, "verifier must be another with this model"),
        ({"lora_rank": -1}, "lora_rank must be 0 or more, got -1"),
        ({"lora_alpha": 8.0}, "lora_alpha is 8.0, but there is no lora_rank"),
        ({"allocation": "late"}, "allocation is 'late', but there is no external"),
    ],
)
def test_bad_values_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        ImproveConfig(**change).resolved()


def test_the_presets_differ_in_the_verifier_alone():
    assert dataclasses.replace(WEAK_VERIFIER, verifier=DEMO.verifier) == DEMO
    assert (DEMO.verifier, WEAK_VERIFIER.verifier) == ("true-false", "careless")


def test_what_zero_stands_for_depends_on_the_model():
    ours, other = (ImproveConfig(model=model).resolved() for model in ("embedded", "owner/name"))
    assert (ours.learning_rate, ours.max_new_tokens, ours.microbatch_size) == (7e-5, 6, 64)
    assert (other.learning_rate, other.max_new_tokens, other.microbatch_size) == (1e-5, 256, 4)
    assert (ours.prompts_per_call, other.prompts_per_call) == (64, 16)
    assert ImproveConfig(model="owner/name", max_new_tokens=6).resolved().max_new_tokens == 6
    assert ours.resolved() == ours


class Judge(enum.StrEnum):
    MAJORITY = "majority"


def test_members_of_an_enumeration_are_their_values():
    config = ImproveConfig(verifier=Judge.MAJORITY)  # pyright: ignore[reportArgumentType]
    assert (config.verifier, type(config.verifier)) == ("majority", str)


def test_numbers_and_paths_of_other_libraries_become_pythons():
    config = ImproveConfig(
        model=Path("/models/one"),
        seed=np.arange(3)[1],
        num_candidates=np.int64(2),
        threshold=np.float32(0.5),
        weight_decay=1,
        remat=np.bool_(True),
    )
    given = [config.model, config.seed, config.num_candidates, config.threshold]
    given += [config.weight_decay, config.remat]
    assert given == ["/models/one", 1, 2, 0.5, 1.0, True]
    assert [*map(type, given)] == [str, int, int, float, float, bool]
    assert ImproveConfig.from_dict(json.loads(json.dumps(dataclasses.asdict(config))), "") == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_rounds": 2.0}, "num_rounds must be of type int, got 2.0"),
        ({"num_rounds": "2"}, "num_rounds must be of type int, got '2'"),
        ({"num_rounds": True}, "num_rounds must be of type int, got True"),
        ({"threshold": [0.5, 0.6]}, "threshold must be of type float, got"),
        ({"threshold": np.array([0.5, 0.6])}, "threshold must be of type float, got array"),
        ({"task_options": {"max_digits": 1}}, "task_options must be of type str, got {'max_digits"),
        ({"remat": 1}, "remat must be of type bool, got 1"),
        ({"seed": None}, "seed must be of type int, got None"),
    ],
)
def test_values_of_another_type_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        ImproveConfig(**change)
