"""Which runs are taken for seeds of one experiment."""

from pathlib import Path

import pytest

from jaxgap.errors import InputError
from jaxgap.trajectory import Trajectory, write_csv, write_jsonl
from jaxgap.trajectory.collection import NamedRun, read_runs
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


def groups_of(folder, files):
    """The groups of runs in files below a folder, by their runs' full paths."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(Trajectory([0, 1, 2], [3.0, 2.0, 1.0]), path)
    found = read_runs(sorted({(folder / file).parent for file in files})).runs
    groups = group_seeds(found).groups
    return {
        name: [str(found[index].path.relative_to(folder)) for index in indices]
        for name, indices in groups.items()
    }


@pytest.mark.parametrize("second", [(0, 1), (2, 3)])
def test_experiments_in_different_folders_are_different(tmp_path, monkeypatch, second):
    monkeypatch.chdir(tmp_path)
    one = [f"exp1/run_seed{seed}.csv" for seed in range(3)]
    other = [f"exp2/run_seed{seed}.csv" for seed in second]
    groups = groups_of(tmp_path, [*one, *other])
    assert sorted(groups.values()) == [one, other]
    assert len(groups) == 2


def test_a_run_that_is_stored_twice_is_one_seed(tmp_path):
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])
    for seed in (0, 1):
        write_csv(run, tmp_path / f"run_seed{seed}.csv")
    write_jsonl(run, tmp_path / "run_seed0.jsonl")
    found = read_runs([tmp_path]).runs
    (indices,) = group_seeds(found)[0].values()
    assert [found[index].path.name for index in indices] == ["run_seed0.csv", "run_seed1.csv"]
    (pair,) = group_seeds(found).repeated.items()
    assert [found[index].path.name for index in pair] == ["run_seed0.jsonl", "run_seed0.csv"]
    write_jsonl(run, tmp_path / "other_seed7.jsonl")
    write_csv(run, tmp_path / "other_seed7.csv")
    assert list(group_seeds(read_runs([tmp_path]).runs)[0]) == ["run"]


def test_a_seed_that_two_records_have_counts_once():
    names, seeds = ("x", "y", "z"), (0, 0, 1)
    found = runs(*names, provenance=[{"lr": 1, "seed": seed} for seed in seeds])
    assert group_seeds(found) == ({"x": [0, 2]}, "settings", {1: 0})
    assert group_seeds(found[:2]) == ({}, "settings", {1: 0})


def test_experiments_whose_runs_are_called_alike_are_called_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [f"exp{number}/run_seed{2 * number + seed}.csv" for number in (1, 2) for seed in (0, 1)]
    assert groups_of(tmp_path, files) == {"exp1/run": files[:2], "exp2/run": files[2:]}


def test_a_folder_may_be_the_seed_of_another(tmp_path):
    folders = [f"exp{number}/seed{seed}" for number in (1, 2) for seed in (0, 1)]
    groups = groups_of(tmp_path, [f"{folder}/trajectory.csv" for folder in folders])
    assert sorted(groups.values()) == [folders[:2], folders[2:]]


def test_the_runs_of_a_log_are_grouped_by_their_names_in_it(tmp_path):
    names = ["a_seed0", "a_seed1", "b_seed0", "b_seed1"]
    rows = [f"{name},{t},{3 - t}" for name in names for t in range(3)]
    (tmp_path / "log.csv").write_text("\n".join(["run,t,solver", *rows]))
    assert group_seeds(read_runs([tmp_path]).runs)[0] == {"a": [0, 1], "b": [2, 3]}


def recorded(**seeds):
    """Runs of one folder by their names, each with the seed in its record."""
    return runs(*seeds, provenance=[{"lr": 1, "seed": seed} for seed in seeds.values()])


def test_a_bench_that_grew_keeps_the_seed_that_it_began_with():
    """Its folder is called as long as there is one seed without it, and is not renamed."""
    grown = recorded(**{"random-N2": 0, "random-N2-seed1": 1, "random-N2-seed2": 2})
    assert group_seeds(grown) == ({"random-N2": [0, 1, 2]}, "name", {})
    grown = recorded(**{"majority-seed0": 0, "majority-seed1": 1, "run": 5, "seed7": 7})
    assert group_seeds(grown[2:])[0] == {"run": [0, 1]}
    assert group_seeds(grown[:2])[0] == {"majority": [0, 1]}


def test_a_run_without_a_seed_in_its_name_joins_no_others_than_seeds_of_its_record():
    records = [{"lr": 2, "seed": 0}, {"lr": 1, "seed": 1}, {"lr": 1, "seed": 2}]
    assert group_seeds(runs("a", "a-seed1", "a-seed2", provenance=records))[0] == {"a": [1, 2]}
    again = recorded(**{"a": 1, "a-seed1": 1, "a-seed2": 2})  # a seed that is there already
    assert group_seeds(again)[0] == {"a": [1, 2]}
    elsewhere = [NamedRun("a", Path("a"), recorded(a=0)[0].run, "/exp1/a")]
    elsewhere += [
        NamedRun(run.name, run.path, run.run, f"/exp2/{run.name}")
        for run in recorded(**{"a-seed1": 1, "a-seed2": 2})
    ]
    assert group_seeds(elsewhere)[0] == {"a": [1, 2]}
    assert group_seeds(runs("a", "a-seed1", "a-seed2"))[0] == {"a": [1, 2]}


def test_records_that_differ_in_the_seed_alone():
    records = [{"lr": 1, "seed": 0}, {"lr": 1, "seed": 1}, {"lr": 2, "seed": 0}, {"lr": 1}]
    found = group_seeds(runs("x", "y", "z", "w", provenance=records))
    assert found == ({"x": [0, 1]}, "settings", {})


def test_the_first_group_of_a_pattern_names_the_experiment():
    found = group_seeds(runs("lr1-a", "lr1-b", "lr2-a", "none"), r"lr(\d)")
    assert found == ({"1": [0, 1]}, "pattern", {})


def test_a_bad_pattern_is_refused():
    with pytest.raises(
        InputError, match=r"group must be a regular expression, got '\[': unterminated"
    ):
        group_seeds(runs("a", "b"), "[")


@pytest.mark.parametrize("stem", ["exp_seed{}", "exp{}"])
def test_a_run_that_is_stored_twice_counts_once_under_a_pattern_too(tmp_path, stem):
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])
    for seed in (0, 1):
        write_csv(run, tmp_path / f"{stem.format(seed)}.csv")
    write_jsonl(run, tmp_path / f"{stem.format(0)}.jsonl")
    found = read_runs([tmp_path]).runs
    groups, _, repeated = group_seeds(found, "exp")
    assert groups == {"exp": [0, 2]}
    assert repeated == {1: 0}
    # A pattern for one format leaves nothing out.
    assert group_seeds(found, r"(exp).*jsonl").repeated == {}


def test_a_pattern_that_matches_no_run_is_refused():
    message = r"group must match the name of a run, got 'zzz': a, b"
    with pytest.raises(InputError, match=message):
        group_seeds(runs("a", "b"), "zzz")
