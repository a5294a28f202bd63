"""Which runs are taken for seeds of one experiment."""

from pathlib import Path

import pytest

from jaxgap.errors import InputError
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.collection import NamedRun
from jaxgap.workflows.seed_groups import group_seeds


def runs(*names, provenance=None):
    provenance = provenance or [None] * len(names)
    return [
        NamedRun(name, Path(name), Trajectory([0, 1, 2], [3.0, 2.0, 1.0], provenance=record))
        for name, record in zip(names, provenance, strict=True)
    ]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["a_seed0", "a_seed1", "b_seed0"], {"a": [0, 1]}),
        (["a-seed-3", "a-seed-12", "b"], {"a": [0, 1]}),
        (["a_seed0_lr1", "a_seed1_lr1", "a_seed0_lr2"], {"a_lr1": [0, 1]}),
        (["seed0", "seed1"], {"runs": [0, 1]}),
        (["SEED=0: acc", "SEED=1: acc"], {"acc": [0, 1]}),
        (["seeding", "seeds"], {}),
    ],
)
def test_names_that_differ_in_the_seed_alone(names, groups):
    assert group_seeds(runs(*names))[0] == groups


def test_records_that_differ_in_the_seed_alone():
    records = [{"lr": 1, "seed": 0}, {"lr": 1, "seed": 1}, {"lr": 2, "seed": 0}, {"lr": 1}]
    found = group_seeds(runs("x", "y", "z", "w", provenance=records))
    assert found == ({"x": [0, 1]}, "settings")


def test_the_first_group_of_a_pattern_names_the_experiment():
    found = group_seeds(runs("lr1-a", "lr1-b", "lr2-a", "none"), r"lr(\d)")
    assert found == ({"1": [0, 1]}, "pattern")


def test_a_bad_pattern_is_refused():
    with pytest.raises(InputError, match="--group \\[: not a regular expression"):
        group_seeds(runs("a", "b"), "[")
