"""Many runs at once: every form that is known, names that tell runs apart, and what is left out."""

import json

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.trajectory import Trajectory, write_csv, write_jsonl
from jaxgap.trajectory.collection import read_runs
from jaxgap.trajectory.sources.log import Entry

RUN = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])


def found(paths, columns=None, **metadata):
    """By name, the solver's curve of each run."""
    collection = read_runs(paths, columns, **metadata)
    assert not collection.unreadable
    return {named.name: named.run.solver.tolist() for named in collection.runs}


def test_a_folder_of_own_files_and_run_folders(tmp_path):
    write_csv(RUN, tmp_path / "a.csv")
    write_jsonl(RUN, tmp_path / "b.jsonl")
    (tmp_path / "c").mkdir()
    write_csv(RUN, tmp_path / "c" / "trajectory.csv")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("not a run")
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "manifest.csv").write_text("file,kind\na.csv,uncertainty\n")
    assert list(found([tmp_path])) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "names",
    [
        ["2run", "10run", "lr0", "lr1", "lr2_seed9", "lr2_seed10", "lr11"],
        ["lr1e-6-bs64", "lr2e-6-bs64", "lr2e-6-bs128", "lr10e-6-bs8", "lr3e-5-bs8"],
        ["lr1e-4", "lr0.05", "lr0.1", "lr00.1", "lr1", "lrx"],
    ],
)
def test_the_runs_of_a_folder_come_in_the_order_of_the_numbers_in_their_names(names, tmp_path):
    for name in sorted(names):
        write_csv(RUN, tmp_path / f"{name}.csv")
    assert list(found([tmp_path])) == names


def test_a_file_named_twice_is_read_once_and_sidecars_are_no_runs(tmp_path):
    write_csv(RUN, tmp_path / "a.csv")
    assert list(found([tmp_path, tmp_path / "a.csv", tmp_path / "a.csv.json"])) == ["a"]


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_csv(RUN, tmp_path / folder / "run.csv")
    names = list(found([tmp_path / "x" / "run.csv", tmp_path / "y"]))
    assert names == [str(tmp_path / folder / "run.csv") for folder in ("x", "y")]


def test_the_outputs_of_several_trainers(tmp_path):
    for name, level in (("first", 3.0), ("second", 2.0)):
        folder = tmp_path / name / "checkpoint-2"
        folder.mkdir(parents=True)
        history = [{"step": n, "eval_loss": level - n} for n in range(3)]
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    runs = found([tmp_path], {"solver": "eval_loss"})
    assert runs == {"first": [3.0, 2.0, 1.0], "second": [2.0, 1.0, 0.0]}


def test_a_wandb_export_of_several_runs(tmp_path):
    header = (
        '"Step","lr-1 - acc","lr-1 - acc__MIN","lr-1 - acc__MAX","lr-2 - acc","lr-2 - acc__MIN"'
    )
    rows = ['"0","20","20","20","",""', '"5","","","","30","30"', '"10","30","29","31","40","40"']
    rows += ['"15","35","35","35","45","45"', '"20","NaN","","","46","46"']
    (tmp_path / "export.csv").write_text("\n".join([header, *rows]) + "\n")
    collection = read_runs([tmp_path / "export.csv"], {"solver": "acc"}, kind="accuracy")
    by_name = {named.name: named.run for named in collection.runs}
    assert by_name["lr-1"].ts.tolist() == [0, 10, 15]
    assert by_name["lr-2"].solver.tolist() == [0.3, 0.4, 0.45, 0.46]
    notes = by_name["lr-1"].provenance["notes"]
    assert any("looks like percent" in note for note in notes)
    assert any("irregular: steps from 5 to 10" in note for note in notes)
    assert any("1 values of 'lr-1 - acc' are not finite" in note for note in notes)


def test_a_wandb_run_gets_no_column_of_another(tmp_path):
    rows = ["Step,a - nll,a - best,b - nll,b - lr,gpu"]
    rows += [f"{t},{3 - t},{2 - t},{4 - t},1,{t}" for t in range(3)]
    (tmp_path / "export.csv").write_text("\n".join(rows))
    columns = {"solver": "nll", "verifier": "best", "gpu": "gpu"}
    collection = read_runs([tmp_path / "export.csv"], columns)
    assert [named.name for named in collection.runs] == ["a"]
    assert collection.runs[0].run.extra["gpu"].tolist() == [0, 1, 2]
    assert "run 'b'" in collection.unreadable[0].problem
    assert "no column 'best'; there are Step, gpu, b - nll, b - lr" in (
        collection.unreadable[0].problem
    )


def test_names_of_wandb_runs_that_begin_alike(tmp_path):
    rows = ["Step,a - nll,a - b - nll"] + [f"{t},{3 - t},{4 - t}" for t in range(3)]
    (tmp_path / "export.csv").write_text("\n".join(rows))
    runs = found([tmp_path / "export.csv"], {"solver": "nll"})
    assert runs == {"a": [3, 2, 1], "a - b": [4, 3, 2]}


def test_a_wide_log_is_looked_through_once(tmp_path, monkeypatch):
    looked_at = []

    class Counted(dict):
        def __iter__(self):
            looked_at.append(self)
            return super().__iter__()

    monkeypatch.setattr(
        "jaxgap.trajectory.sources.csv_log.Entry",
        lambda where, values: Entry(where, Counted(values)),
    )
    names = [f"run{number} - nll" for number in range(30)]
    rows = [",".join(map(str, [t, *[3 - t] * len(names)])) for t in range(3)]
    (tmp_path / "export.csv").write_text("\n".join([",".join(["Step", *names]), *rows]))
    assert len(found([tmp_path / "export.csv"], {"solver": "nll"})) == len(names)
    assert len(looked_at) == len(rows)


def test_a_long_table_of_runs_and_seeds(tmp_path):
    lines = ["run,seed,step,metric,value"]
    lines += [
        f"demo,{seed},{t},{metric},{value - t}"
        for seed in range(2)
        for t in range(3)
        for metric, value in (("nll", 3.0 + seed), ("acc", 9.0))
    ]
    (tmp_path / "long.csv").write_text("\n".join(lines))
    runs = found([tmp_path / "long.csv"], {"solver": "nll"})
    assert runs == {"demo_seed0": [3, 2, 1], "demo_seed1": [4, 3, 2]}


@pytest.mark.parametrize("header", ["run,t,solver", "Run,T,Solver"])
def test_a_tidy_table_with_own_columns_needs_no_more(tmp_path, header):
    lines = [header] + [f"{name},{t},{3 - t}" for name in "ab" for t in range(3)]
    (tmp_path / "tidy.csv").write_text("\n".join(lines))
    assert found([tmp_path / "tidy.csv"]) == {"a": [3, 2, 1], "b": [3, 2, 1]}


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"run": "ab"}, ["a", "b"]),
        ({"Run_Name": "ab", "note": "xy"}, ["a", "b"]),
        ({"seed": (0, 1)}, ["seed0", "seed1"]),
        ({"run": "aa", "seed": (0, 1)}, ["a_seed0", "a_seed1"]),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_json_lines_of_several_runs(tmp_path, fields, names, own):
    t, solver = ("t", "solver") if own else ("step", "nll")
    lines = [
        {name: values[run] for name, values in fields.items()} | {t: n, solver: 3.0 + run - n}
        for run in range(2)
        for n in range(3)
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    runs = found([path], None if own else {"solver": "nll"})
    assert runs == dict(zip(names, ([3, 2, 1], [4, 3, 2]), strict=True))


@pytest.mark.parametrize("name", ["tidy.jsonl", "tidy.csv"])
def test_what_a_file_of_several_runs_says_of_them_counts(tmp_path, name):
    said = {"kind": "accuracy", "num_items": 100, "time_unit": "round", "provenance": {"lr": 0.1}}
    rows = [{"seed": seed, "t": t, "solver": t / 9} for seed in range(2) for t in range(3)]
    if name.endswith("csv"):
        lines = ["seed,t,solver", *(",".join(map(str, row.values())) for row in rows)]
        (tmp_path / f"{name}.json").write_text(json.dumps(said))
    else:
        lines = map(json.dumps, [{"trajectory": said}, *rows])
    (tmp_path / name).write_text("\n".join(lines))
    runs = read_runs([tmp_path]).runs
    assert [named.name for named in runs] == ["seed0", "seed1"]
    for run in (named.run for named in runs):
        assert (run.kind, run.num_items, run.time_unit) == ("accuracy", 100, "round")
        assert run.provenance["lr"] == 0.1
    given = read_runs([tmp_path], num_items=50).runs
    assert [named.run.num_items for named in given] == [50, 50]


def test_a_file_that_is_one_run_is_one_and_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr("jaxgap.trajectory.collection.read_log", None)
    # A seed for sampling, and one that was changed on the way.
    for name, seeds in (("a.jsonl", (5, 9, 2, 4, 7, 1)), ("b.jsonl", (0, 0, 0, 1, 1, 1))):
        lines = [{"t": t, "solver": 9.0 - t, "seed": seed} for t, seed in enumerate(seeds)]
        (tmp_path / name).write_text("\n".join(map(json.dumps, lines)))
    write_csv(RUN, tmp_path / "c.csv")
    curve = [9, 8, 7, 6, 5, 4]
    assert found([tmp_path]) == {"a": curve, "b": curve, "c": [3, 2, 1]}


def test_entries_without_a_name_beside_named_runs_are_called_so(tmp_path):
    lines = [{"run": name, "step": t, "nll": 3.0 - t} for name in "ab" for t in range(3)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, [*lines, {"step": 9}])))
    collection = read_runs([tmp_path], {"solver": "nll"})
    assert [named.name for named in collection.runs] == ["a", "b"]
    assert [each.problem.split(":")[0] for each in collection.unreadable] == [
        "run '(without a name)'"
    ]


def test_settings_in_json_lines_are_no_run(tmp_path):
    settings, summary = {"seed": 0, "lr": 0.1}, {"run": "x", "best": 1.0}
    curve = [{"step": t, "nll": 3.0 - t} for t in range(3)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, [settings, *curve, summary])))
    assert found([path], {"solver": "nll"}) == {"log": [3, 2, 1]}
    runs = [entry | {"run": name} for name in "ab" for entry in curve]
    path.write_text("\n".join(map(json.dumps, [settings, *runs])))
    assert found([path], {"solver": "nll"}) == {"a": [3, 2, 1], "b": [3, 2, 1]}


def test_a_folder_is_called_by_its_name_wherever_one_stands(tmp_path, monkeypatch):
    write_csv(RUN, tmp_path / "trajectory.csv")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path)
    assert list(found(["."])) == [tmp_path.name]
    monkeypatch.chdir(tmp_path / "inner")
    assert list(found([".."])) == [tmp_path.name]


def test_folders_of_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for name in ("one", "two"):
        writer = EventFileWriter(str(tmp_path / name))
        for step in range(3):
            summary = Summary(value=[Summary.Value(tag="nll", simple_value=3.0 - step)])
            writer.add_event(Event(step=step, wall_time=1.0 + step, summary=summary))
        writer.close()
    assert found([tmp_path], {"solver": "nll"}) == {"one": [3, 2, 1], "two": [3, 2, 1]}


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path):
    write_csv(RUN, tmp_path / "good.csv")
    (tmp_path / "bad.csv").write_text("t,solver\n0,1\n1,x\n")
    collection = read_runs([tmp_path, tmp_path / "absent.csv"])
    assert [named.name for named in collection.runs] == ["good"]
    problems = [each.problem for each in collection.unreadable]
    assert any("bad.csv:3: column 'solver': must be a number" in problem for problem in problems)
    assert any("absent.csv: no such file" in problem for problem in problems)


def test_one_run_of_a_log_may_fail_alone(tmp_path):
    lines = ["run,t,solver"] + [
        f"{name},{t},1" for name, n in (("a", 3), ("b", 2)) for t in range(n)
    ]
    (tmp_path / "tidy.csv").write_text("\n".join(lines))
    collection = read_runs([tmp_path / "tidy.csv"])
    assert [named.name for named in collection.runs] == ["a"]
    assert "run 'b'" in collection.unreadable[0].problem
    assert "only 2 rows" in collection.unreadable[0].problem


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no run in it"):
        read_runs([tmp_path])


def test_the_recorded_seeds_are_found():
    from pathlib import Path

    folder = Path(__file__).parents[2] / "experiments" / "results" / "seeds"
    runs = found([folder])
    assert len(runs) == 15
    assert all(np.isfinite(curve).all() for curve in runs.values())
