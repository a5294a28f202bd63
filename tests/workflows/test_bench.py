"""A bench: every combination once, in a folder of its own, resumed, and what it reports."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from jax.errors import JaxRuntimeError

from jaxgap.errors import DiskFullError, InputError, RunError
from jaxgap.improve import ImproveConfig, Watcher, assemble
from jaxgap.improve.cost import product_parameters, run_cost
from jaxgap.tasks import named_task
from jaxgap.workflows.bench import Bench, run_bench
from jaxgap.workflows.bench_checks import TABLE
from jaxgap.workflows.bench_grid import Grid
from jaxgap.workflows.bench_setting import OverSeeds, Setting

BASE = ImproveConfig(
    num_rounds=2, num_train_prompts=8, num_held_out_prompts=6, num_candidates=2, batch_size=4
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    grid = Grid(BASE, verifiers=("true-false", "majority"), candidate_counts=(2,))
    found = run_bench(grid, folder)
    assert not found.failed
    return grid, folder, found.rows


@pytest.fixture(scope="module")
def again(bench):
    """The same bench once more: its rows, and whose problems were drawn."""
    grid, folder, _ = bench
    drawn = []

    def named(*named_by):
        drawn.append(named_by)
        return named_task(*named_by)

    def on_stage(round_index, stage):
        raise AssertionError(stage)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxgap.improve.assembly.named_task", named)
        return run_bench(grid, folder, lambda name: Watcher(on_stage=on_stage)).rows, drawn


@pytest.fixture
def copied(bench, tmp_path):
    """The grid, and a copy of its finished runs."""
    grid, folder, _ = bench
    return grid, shutil.copytree(folder, tmp_path / "bench")


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def raising(**errors):
    """Watchers of these runs raise as their run starts; the others say what was noted."""

    def watch(name):
        def on_start(config, num_done):
            if name in errors:
                raise errors[name]

        return Watcher(on_start=on_start, on_note=noted.append)

    noted = []
    return watch, noted


def test_names_say_what_varies():
    grid = Grid(BASE, verifiers=("true-false", "random"), thresholds=(0.5, 0.9), seeds=(1,))
    configs = grid.configs()
    assert list(configs) == [
        "true-false-threshold0.5",
        "true-false-threshold0.9",
        "random-threshold0.5",
        "random-threshold0.9",
    ]
    assert {config.seed for config in configs.values()} == {1}
    models = Grid(BASE, models=("/a/model", "/b/model"), tasks=("gsm8k:f",)).configs()
    assert list(models) == ["model", "model+"]
    assert [config.max_new_tokens for config in models.values()] == [256, 256]
    assert list(Grid(BASE).configs()) == ["run"]


def test_values_may_be_arrays():
    arrays = Grid(BASE, candidate_counts=np.array([2, 4]), thresholds=np.linspace(0.25, 0.75, 3))
    numbers = Grid(BASE, candidate_counts=(2, 4), thresholds=(0.25, 0.5, 0.75))
    assert arrays.configs() == numbers.configs()


def test_each_combination_is_a_run_with_its_numbers(bench):
    _, folder, rows = bench
    assert [row.name for row in rows] == ["true-false", "majority"]
    for row in rows:
        assert (folder / row.name / "trajectory.csv").exists()
        form = json.loads(json.dumps(row.to_dict(), allow_nan=False))
        first, last = form["accuracy"]["first"], form["accuracy"]["last"]
        assert form["points_gained"]["mean"] == pytest.approx(100 * (last - first))
        assert form["cost"]["seconds"] > 0
        assert (form["cost_per_point"]["flops"] is None) == (last <= first)
    # A majority is counted, not read.
    assert rows[0].cost.read > rows[1].cost.read


def test_a_task_that_cannot_be_read_is_reported_before_anything_runs(tmp_path):
    grid = Grid(BASE, tasks=("addition", f"gsm8k:{tmp_path}/typo.jsonl"))
    with pytest.raises(InputError, match=r"typo\.jsonl"):
        run_bench(grid, tmp_path / "bench")
    assert not (tmp_path / "bench").exists()


def test_what_is_done_is_not_done_again(bench, again):
    rows, drawn = again
    assert [row.metrics for row in rows] == [row.metrics for row in bench[2]]
    assert len(drawn) == 2  # by each run, and not up front


@pytest.mark.slow
def test_a_bench_that_asks_for_more_takes_what_an_earlier_one_did_under_other_names(tmp_path):
    """A bench of one verifier has no verifier in its runs' names."""
    begun = []

    def watch(name):
        return Watcher(on_stage=lambda round_index, stage: begun.append(name))

    def bench(verifiers, seeds):
        begun.clear()
        found = run_bench(Grid(BASE, verifiers=verifiers, seeds=seeds), tmp_path, watch)
        (tmp_path / TABLE).write_text(json.dumps(found.to_dict()))
        return {row.name: row.folder.name for row in found.rows}, set(begun)

    assert bench(["majority"], [0]) == ({"run": "run"}, {"run"})
    assert bench(["majority"], [0, 1]) == ({"seed0": "run", "seed1": "seed1"}, {"seed1"})
    places = {
        "majority-seed0": "run",
        "majority-seed1": "seed1",
        "random-seed0": "random-seed0",
        "random-seed1": "random-seed1",
    }
    assert bench(["majority", "random"], [0, 1]) == (places, {"random-seed0", "random-seed1"})
    assert bench(["majority", "random"], [0, 1]) == (places, set())
    with pytest.raises(InputError, match=r"compares runs that this grid leaves out \(random-s"):
        bench(["majority"], [0, 1])


def test_problems_are_drawn_up_front_for_new_runs_and_once_by_each_run(
    bench, tmp_path, monkeypatch
):
    grid, _, _ = bench
    drawn = []

    class Stop(Exception):
        pass

    def on_start(config, num_done):
        raise Stop("before the first round")

    def named(*named_by):
        drawn.append(named_by)
        return named_task(*named_by)

    monkeypatch.setattr("jaxgap.improve.assembly.named_task", named)
    with pytest.raises(Stop, match="before the first round"):
        run_bench(grid, tmp_path, lambda name: Watcher(on_start=on_start))
    assert len(drawn) == 2  # for both runs, and by the first of them


def test_an_interrupted_bench_goes_on(bench, tmp_path):
    grid, _, rows = bench

    class Stop(Exception):
        pass

    def on_round(metrics):
        raise Stop("after the first round")

    with pytest.raises(Stop, match="after the first round"):
        run_bench(grid, tmp_path, lambda name: Watcher(on_round=on_round))
    again = run_bench(grid, tmp_path)
    assert [row.metrics for row in again.rows] == [row.metrics for row in rows]


def test_other_settings_under_the_same_name_are_refused(bench):
    grid, folder, _ = bench
    other = dataclasses.replace(grid, base=dataclasses.replace(BASE, learning_rate=1e-3))
    with pytest.raises(
        InputError, match=r"true-false contains a run with `learning_rate`=7e-05, not"
    ):
        run_bench(other, folder)
    with pytest.raises(InputError, match="num_rounds must be at least 2 here"):
        run_bench(Grid(dataclasses.replace(BASE, num_rounds=1)), folder)


def test_the_cost_is_that_of_the_tokens(bench):
    _, _, rows = bench
    row = rows[1]
    loop, params = assemble(row.config)
    cost = run_cost(loop, params, row.metrics)
    rounds = row.metrics[:-1]
    prompts = float(loop.train_prompts.batch.mask.sum())
    assert cost.sampled == pytest.approx(sum(16 * m.train.solver_length.mean for m in rounds))
    assert cost.read == 2 * prompts
    selected = sum(8 * m.train.verifier_length.mean for m in rounds)
    # The last token of a completion predicts nothing, so nothing reads it.
    assert cost.trained == pytest.approx(2 * prompts + selected - 2 * 8)
    # Four layers of attention and feed-forward, and the tied embedding where tokens are predicted.
    layers, vocabulary = 4 * (4 * 160 * 160 + 3 * 160 * 432), 19 * 160
    assert product_parameters(loop, params) == (layers, vocabulary)
    assert cost.flops == pytest.approx(
        layers * (2 * (cost.sampled - 2 * 16 + cost.read) + 6 * cost.trained)
        + vocabulary * (2 * cost.sampled + 6 * selected)
    )


def test_fixed_candidates_cost_once(bench, tmp_path):
    _, _, rows = bench
    row = rows[1]
    fixed = dataclasses.replace(row.config, candidates="fixed")
    loop, params = assemble(fixed)
    cost = run_cost(loop, params, row.metrics)
    prompts = float(loop.train_prompts.batch.mask.sum())
    first = row.metrics[0].train
    assert cost.sampled == pytest.approx(16 * first.solver_length.mean)
    assert cost.read == prompts


@pytest.mark.parametrize(
    ("error", "why"),
    [
        # Both of these are raised where every run fails, too.
        slow(RunError("a loss is NaN"), "a loss is NaN"),
        slow(InputError("a prompt has 9 tokens"), "a prompt has 9 tokens"),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: 9G"), "it does not fit the device's memory"),
    ],
)
def test_a_run_that_fails_is_named_and_the_others_go_on(copied, error, why):
    grid, folder = copied
    watch, noted = raising(**{"true-false": error})
    found = run_bench(grid, folder, watch)
    assert [row.name for row in found.rows] == ["majority"]
    assert list(found.failed) == ["true-false"]
    assert found.failed["true-false"].startswith(why)
    assert noted == [f"true-false failed: {found.failed['true-false']}"]
    form = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert form["failed"] == [{"run": "true-false", "reason": found.failed["true-false"]}]


def test_a_run_without_times_has_no_seconds_and_the_others_are_as_they_were(copied):
    grid, folder = copied
    (folder / "majority" / "timings.jsonl").unlink()
    found = run_bench(grid, folder)
    judged, counted = found.rows
    assert judged.seconds > 0
    assert counted.seconds is None
    form = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert form["runs"][1]["cost"]["seconds"] is None
    both = Setting("both", found.rows)
    assert both.amounts["seconds"] is None
    assert both.amounts["tokens"] == pytest.approx((judged.cost.tokens + counted.cost.tokens) / 2)


def test_where_every_run_fails_there_is_nothing_to_compare(copied):
    grid, folder = copied
    errors = {"true-false": "a loss is NaN", "majority": "a prompt has 9 tokens"}
    watch, noted = raising(
        **{"true-false": RunError(errors["true-false"]), "majority": InputError(errors["majority"])}
    )
    said = r"^no run reached its last round: true-false: a loss is NaN \(and 1 more, named above\)$"
    with pytest.raises(RunError, match=said):
        run_bench(grid, folder, watch)
    assert noted == [f"{name} failed: {error}" for name, error in errors.items()]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DiskFullError("cannot be written"), "cannot be written"),
        (JaxRuntimeError("INTERNAL: broken"), "INTERNAL"),
        slow(KeyboardInterrupt("interrupted"), "interrupted"),
    ],
)
def test_what_the_other_runs_would_meet_as_well_stops_the_bench(copied, error, said):
    grid, folder = copied
    watch, noted = raising(**{"true-false": error})
    with pytest.raises(type(error), match=said):
        run_bench(grid, folder, watch)
    assert not noted


def test_seeds_of_a_setting_are_summarised(bench):
    row = bench[2][0]
    seeds = [dataclasses.replace(row, setting="x", metrics=row.metrics[:n]) for n in (2, 3)]
    found = Bench((*seeds, dataclasses.replace(row, setting="alone")), {})
    (setting,) = found.means
    assert [each.name for each in found.settings] == ["x", "alone"]
    assert found.settings[1].gained == row.gained
    gains = [row.gained.mean for row in seeds]
    assert setting.gained.mean == pytest.approx(sum(gains) / 2)
    assert setting.gained.stderr == pytest.approx(abs(gains[0] - gains[1]) / 2)
    form = json.loads(json.dumps(setting.to_dict(), allow_nan=False))
    assert form["setting"] == "x"
    assert form["cost"]["tokens"] == pytest.approx(sum(row.cost.tokens for row in seeds) / 2)
    assert form["limit"] == OverSeeds.of([row.result.limits["solver"] for row in seeds])._asdict()
    assert found.to_dict()["settings"] == [setting.to_dict()]


def test_runs_know_their_setting_by_their_seeds_alone():
    several = Grid(BASE, models=("/a/m-seed1", "/b/m-seed1"), tasks=("gsm8k:f",), seeds=(0, 1))
    assert several.settings() == {
        "m-seed1-seed0": "m-seed1",
        "m-seed1-seed1": "m-seed1",
        "m-seed1+-seed0": "m-seed1+",
        "m-seed1+-seed1": "m-seed1+",
    }
    assert list(several.configs()) == list(several.settings())
    assert Grid(BASE, seeds=(0, 1)).settings() == {"seed0": "run", "seed1": "run"}
    one_seed = Grid(BASE, models=("/a/m-seed1", "/a/n"), seeds=(3,))
    assert one_seed.settings() == {"m-seed1": "m-seed1", "n": "n"}
    assert {config.seed for config in one_seed.configs().values()} == {3}
