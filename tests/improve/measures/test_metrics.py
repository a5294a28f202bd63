"""A checkpoint's row has every measurement, and gives the record back."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.improve import MeanWithError, RoundMetrics, SplitMetrics
from jaxgap.improve.measures.metrics import TrainingSummary

NAMES = [field.name for field in dataclasses.fields(SplitMetrics)]


def metrics(seed, num_prompts, training):
    rng = np.random.default_rng(seed)
    error = math.nan if num_prompts == 1 else 0.1
    splits = (
        SplitMetrics(**{name: MeanWithError(float(rng.normal()), error) for name in NAMES})
        for _ in range(2)
    )
    return RoundMetrics(int(rng.integers(100)), *splits, training)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]), st.booleans())
def test_a_row_gives_the_record_back(seed, num_prompts, is_trained):
    training = TrainingSummary(1.0, 2.0, 3.0, 4.0, 5.0) if is_trained else None
    found = metrics(seed, num_prompts, training)
    row = found.row()
    num_each = 1 if num_prompts == 1 else 2
    assert len(row) == 1 + 2 * num_each * len(NAMES) + 5 * is_trained
    assert not any(map(math.isnan, row.values()))
    assert (row["t"], row["solver"]) == (found.round_index, found.held_out.solver.mean)
    assert row["train_judging_auc"] == found.train.judging_auc.mean
    again = RoundMetrics.from_row(row)
    assert (again.round_index, again.training) == (found.round_index, training)
    for ours, theirs in ((again.held_out, found.held_out), (again.train, found.train)):
        for name in NAMES:
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


@pytest.mark.parametrize("missing", TrainingSummary._fields[1:])
def test_a_row_of_another_version_is_recognised_by_what_it_lacks(missing):
    row = metrics(0, 2, TrainingSummary(1.0, 2.0, 3.0, 4.0, 5.0)).row()
    assert TrainingSummary.missing_in(row) == []
    del row[missing]
    assert TrainingSummary.missing_in(row) == [missing]
    assert TrainingSummary.missing_in(metrics(0, 2, None).row()) == []
