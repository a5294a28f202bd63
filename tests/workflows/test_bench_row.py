"""One run of a bench: what it gained, and the seconds it took, whatever is left of its times."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from jaxgap.improve import ImproveConfig, MeanWithError, RoundMetrics, RunFolder, SplitMetrics
from jaxgap.workflows.bench_row import BenchRow, Gain, per_point, seconds_of

CONFIG = ImproveConfig(num_rounds=2)
ROUND = {"generate": 1.0, "verify": 2.0, "select": 4.0, "measure": 99.0}
TIMINGS = [
    {"t": 0.0} | ROUND | {"generate": 50.0},
    {"t": 1.0} | ROUND | {"train": 60.0},
    {"t": 2.0} | ROUND | {"train": 8.0, "verify": 30.0},
]


@pytest.fixture
def folder(tmp_path):
    RunFolder.create(tmp_path, CONFIG)
    return tmp_path


def write(folder, rows):
    (folder / "timings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_seconds_leave_out_what_the_first_run_compiles(folder):
    write(folder, TIMINGS)
    assert seconds_of(folder, CONFIG, 3) == 2 * 7 + 2 * 8
    fixed = dataclasses.replace(CONFIG, candidates="fixed")
    assert seconds_of(folder, fixed, 3) == 7 + 2 * 8


def test_rounds_whose_times_are_lost_count_as_the_others(folder):
    write(folder, TIMINGS[1:])
    whole = seconds_of(folder, CONFIG, 3)
    assert whole == 2 * 7 + 2 * 8
    (folder / "timings.jsonl").write_text(
        "not JSON\n[1]\n" + "".join(json.dumps(row) + "\n" for row in TIMINGS[1:])
    )
    assert seconds_of(folder, CONFIG, 3) == whole


@pytest.mark.parametrize("value", ["abc", None, True, -1.0, 1e999])
def test_a_time_that_is_none_is_left_out(folder, value):
    text = "".join(json.dumps(row) + "\n" for row in [*TIMINGS, TIMINGS[0] | {"select": value}])
    (folder / "timings.jsonl").write_text(text.replace("Infinity", "1e999"))
    assert seconds_of(folder, CONFIG, 3) == 2 * 7 + 2 * 8


@pytest.mark.parametrize("data", [None, b"", b"\n", b"\xff\xfe", b'{"t": 0.0, "generate": 1.0}\n'])
def test_without_the_times_of_some_stage_there_are_no_seconds(folder, data):
    if data is not None:
        (folder / "timings.jsonl").write_bytes(data)
    assert seconds_of(folder, CONFIG, 3) is None


def test_what_is_not_known_or_bought_nothing_has_no_cost_a_point():
    amounts = {"tokens": 10.0, "seconds": None}
    assert per_point(amounts, 2.0) == {"tokens": 5.0, "seconds": None}
    assert per_point(amounts, 0.0) == {"tokens": None, "seconds": None}


def test_as_many_right_answers_of_other_prompts_are_no_gain():
    """Thirds are rounded: the difference of equal numbers of right answers is not always zero."""
    rng = np.random.default_rng(0)
    right = np.arange(384 * 3) < 500
    means = [rng.permutation(right).reshape(-1, 3).mean(1).mean() for _ in range(200)]
    gains = [100 * (last - first) for first, last in itertools.pairwise(means)]
    assert max(gains) > 0  # where it is not zero there is something to test
    assert all(per_point({"tokens": 1.0}, gain)["tokens"] is None for gain in gains)


def test_two_seeds_say_less_of_a_gain_than_a_thousand_prompts():
    """Of two normal numbers the mean is beyond two standard errors of zero in 30 % of cases."""
    assert Gain(10.0, 2.0, 2).reach == pytest.approx(12.706 * 2, rel=1e-4)
    assert Gain(10.0, 2.0, 2).is_doubtful
    assert not Gain(10.0, 2.0, 1000).is_doubtful
    assert Gain(-10.0, 6.0, 1000).is_doubtful
    assert Gain(0.0, 0.0, 1000).is_doubtful
    assert Gain(10.0, 2.0, 3).to_dict() == {
        "mean": 10.0,
        "stderr": 2.0,
        "interval": pytest.approx([10 - 4.3027 * 2, 10 + 4.3027 * 2], rel=1e-4),
    }


def test_doubt_is_rare_enough_where_nothing_is_gained():
    rng = np.random.default_rng(0)
    for num in (2, 3, 5):
        gains = rng.standard_normal((2000, num))
        found = [Gain(g.mean(), g.std(ddof=1) / num**0.5, num).is_doubtful for g in gains]
        assert np.mean(found) == pytest.approx(0.95, abs=0.02)


def test_the_error_of_a_gain_is_that_of_a_difference_of_independent_accuracies():
    """In points: the hypotenuse of 3 and 4."""
    nothing = MeanWithError(0.0, 0.0)
    template = {field.name: nothing for field in dataclasses.fields(SplitMetrics)}
    ends = [MeanWithError(0.25, 0.03), MeanWithError(0.5, 0.9), MeanWithError(0.75, 0.04)]
    splits = [SplitMetrics(**(template | {"solver_accuracy": end})) for end in ends]
    metrics = tuple(RoundMetrics(t, split, splits[1]) for t, split in enumerate(splits))
    row = BenchRow("a", Path("a"), CONFIG, "a", metrics, result=None, cost=None, seconds=None)
    assert row.accuracy == (0.25, 0.75)
    assert row.gained == Gain(pytest.approx(50.0), pytest.approx(5.0), CONFIG.num_held_out_prompts)
