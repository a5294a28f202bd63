"""Logs of other tools: what is picked, joined and said, and what is refused."""

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.errors import InputError
from jaxgap.trajectory import Trajectory, TrajectoryError, write_csv, write_jsonl
from jaxgap.trajectory.collection import read_runs
from jaxgap.trajectory.read import read_trajectory


def write(path, text):
    path.write_text(text)
    return path


def notes(run):
    return " ".join(run.provenance.get("notes", []))


def test_own_files_are_known_by_what_they_are(tmp_path):
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.0], extra={"a": [1.0, 2.0, 3.0]})
    write_csv(run, tmp_path / "trajectory.csv")
    write_jsonl(run, tmp_path / "run.jsonl")
    assert read_trajectory(tmp_path / "trajectory.csv") == run
    assert read_trajectory(tmp_path / "run.jsonl") == run
    assert read_trajectory(tmp_path) == run


def test_a_sparse_table_is_joined_by_time(tmp_path):
    path = write(
        tmp_path / "log.csv",
        "step,train/loss,eval/nll,eval/best\n0,,3,\n0,,,2\n1,9,,\n5,,2,1\n10,,1,0.5\n15,,0.9,\n",
    )
    columns = {"solver": "eval/nll", "verifier": "eval/best"}
    run = read_trajectory(path, columns, time_unit="step")
    assert run.ts.tolist() == [0, 5, 10]
    assert run.verifier.tolist() == [2, 1, 0.5]
    assert "1 rows with a solver value but not all other columns" in notes(run)
    assert "with the solver's column alone they would be kept" in notes(run)
    assert read_trajectory(path, {"solver": "eval/nll"}).ts.tolist() == [0, 5, 10, 15]


OWN_TABLE = "t,solver,verifier,solver_se,nll\n0,4,3,1,4\n1,3,2,1,3\n2,2,1,1,2\n"


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        (
            ["solver"],
            "'verifier', 'solver_se' are in the file but not named in `columns`: not read",
        ),
        (["solver", "verifier"], "'solver_se' is in the file but not named in `columns`: not read"),
        (["solver", "verifier", "solver_se"], ""),
    ],
)
def test_own_columns_that_are_left_out_are_named(tmp_path, columns, left_out):
    path = write(tmp_path / "run.csv", OWN_TABLE)
    run = read_trajectory(path, {name: name for name in columns}, kind="uncertainty")
    assert notes(run) == left_out


def test_own_columns_that_are_read_as_something_else_are_not_left_out(tmp_path):
    path = write(tmp_path / "run.csv", OWN_TABLE)
    columns = {"solver": "nll", "verifier": "solver", "solver_se": "solver_se", "of": "verifier"}
    assert notes(read_trajectory(path, columns, kind="uncertainty")) == ""


def test_a_resumed_run_replaces_what_it_repeats(tmp_path):
    path = write(tmp_path / "log.csv", "step,nll\n0,4\n10,3\n20,9\n30,9\n20,2\n30,1.5\n40,1.2\n")
    run = read_trajectory(path, {"solver": "nll"})
    assert run.ts.tolist() == [0, 10, 20, 30, 40]
    assert run.solver.tolist() == [4, 3, 2, 1.5, 1.2]
    assert "steps back to 20" in notes(run)
    assert "2 earlier rows were replaced" in notes(run)


def test_a_long_table_in_blocks_of_a_metric_is_no_resumed_run(tmp_path):
    rows = [f"{t},nll,{9 - t}" for t in range(6)] + [f"{t},best,{8 - t}" for t in range(6)]
    rows += [f"{t},late,{t}" for t in (3, 4, 5)]
    path = write(tmp_path / "melted.csv", "\n".join(["step,metric,value", *rows]))
    run = read_trajectory(path, {"late": "late", "solver": "nll", "verifier": "best"})
    assert run.ts.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.solver.tolist() == [9, 8, 7, 6, 5, 4]
    assert run.verifier.tolist() == [8, 7, 6, 5, 4, 3]
    assert run.extra["late"].tolist()[3:] == [3, 4, 5]
    assert notes(run) == ""


def test_a_resumed_run_replaces_in_every_column_and_is_said_once(tmp_path):
    path = write(
        tmp_path / "log.csv", "step,nll,best\n0,4,3\n10,3,2\n20,9,9\n30,9,\n20,2,1\n30,1,0.5\n"
    )
    run = read_trajectory(path, {"solver": "nll", "verifier": "best"})
    assert run.verifier.tolist() == [3, 2, 1, 0.5]
    assert notes(run).count("steps back to 20") == 1
    assert "2 earlier rows were replaced" in notes(run)


@pytest.mark.parametrize(
    "text",
    [
        "step,nll,best\n30,1,0\n20,2,1\n10,3,2\n0,4,3\n",
        "step,metric,value\n"
        + "".join(f"{t},nll,{4 - t / 10}\n{t},best,{3 - t / 10}\n" for t in (30, 20, 10, 0)),
    ],
)
def test_a_log_with_the_newest_row_first_is_read_from_its_end(tmp_path, text):
    path = write(tmp_path / "log.csv", text)
    run = read_trajectory(path, {"solver": "nll", "verifier": "best"})
    assert run.ts.tolist() == [0, 10, 20, 30]
    assert run.solver.tolist() == [4, 3, 2, 1]
    assert run.verifier.tolist() == [3, 2, 1, 0]
    assert notes(run) == "the newest rows come first: the log was read from its end"


@settings(deadline=None, max_examples=100)
@given(times=st.lists(st.integers(0, 99), min_size=3, max_size=15, unique=True))
def test_rows_in_any_order_are_all_kept_where_no_time_recurs(times, tmp_path_factory):
    rows = "".join(f"{t},{1000 - t}\n" for t in times)
    run = read_trajectory(
        write(tmp_path_factory.mktemp("order") / "log.csv", "step,nll\n" + rows),
        {"solver": "nll"},
    )
    assert run.ts.tolist() == sorted(times)
    assert run.solver.tolist() == [1000 - t for t in sorted(times)]
    assert "replaced" not in notes(run)


@pytest.mark.parametrize("by", [str, lambda t: (t * 7) % 14])
@pytest.mark.parametrize("twice", [None, 11])
def test_rows_sorted_as_text_or_not_at_all_are_sorted_and_it_is_said(tmp_path, by, twice):
    rows = "".join(
        f"{t},{50 - t}\n" * (1 + (t == twice)) + (f"{t},{40 - t}\n" if t == twice else "")
        for t in sorted(range(14), key=by)
    )
    run = read_trajectory(write(tmp_path / "log.csv", "step,nll\n" + rows), {"solver": "nll"})
    assert run.ts.tolist() == list(range(14))
    assert run.solver.tolist() == [(40 if t == twice else 50) - t for t in range(14)]
    assert "the rows are not in order of time: they were sorted" in notes(run)
    assert "replaced" not in notes(run)
    assert ("occur more than once" in notes(run)) == (twice is not None)


def test_what_a_resumed_run_has_not_reached_again_is_dropped_and_said(tmp_path):
    path = write(
        tmp_path / "log.csv", "step,nll\n0,4\n10,3\n20,9\n30,9\n40,9\n10,2.5\n20,2\n25,1.9\n"
    )
    run = read_trajectory(path, {"solver": "nll"})
    assert run.ts.tolist() == [0, 10, 20, 25]
    assert run.solver.tolist() == [4, 2.5, 2, 1.9]
    assert "4 earlier rows were replaced, 2 of them at times without a later value" in notes(run)


def test_percent_and_irregular_times_are_recognised_and_said(tmp_path):
    path = write(tmp_path / "log.csv", "step,acc,se\n0,40,2\n1,50,2\n10,62.5,2\n")
    run = read_trajectory(path, {"solver": "acc", "solver_se": "se"}, kind="accuracy")
    assert run.solver.tolist() == [0.4, 0.5, 0.625]
    assert run.solver_se.tolist() == [0.02, 0.02, 0.02]
    assert "looks like percent" in notes(run)
    assert "irregular: steps from 1 to 9" in notes(run)


def test_a_long_table_and_the_names_of_a_wandb_export(tmp_path):
    long = write(
        tmp_path / "long.csv",
        "step,metric,value\n0,nll,3\n0,acc,0.1\n1,nll,2\n1,acc,0.2\n2,nll,1\n2,acc,0.3\n",
    )
    run = read_trajectory(long, {"solver": "nll", "accuracy": "acc"})
    assert run.solver.tolist() == [3, 2, 1]
    assert run.extra["accuracy"].tolist() == [0.1, 0.2, 0.3]
    wide = write(
        tmp_path / "wandb.csv",
        '"Step","b-7 - eval/nll","b-7 - eval/nll__MIN"\n"0","3","3"\n"1","2","2"\n"2","1","1"\n',
    )
    assert read_trajectory(wide, {"solver": "eval/nll"}).solver.tolist() == [3, 2, 1]


def test_the_state_of_a_hugging_face_trainer(tmp_path):
    history = [
        {"epoch": 0.5, "step": 5, "loss": 2.0},
        {"epoch": 0.5, "step": 5, "eval_loss": 1.9, "eval_note": "text"},
        {"epoch": 1.0, "step": 10, "eval_loss": 1.5},
        {"epoch": 1.5, "step": 15, "eval_loss": 1.2},
    ]
    path = write(tmp_path / "trainer_state.json", json.dumps({"log_history": history}))
    run = read_trajectory(path, {"t": "epoch", "solver": "eval_loss"})
    assert run.ts.tolist() == [0.5, 1.0, 1.5]
    assert run.solver.tolist() == [1.9, 1.5, 1.2]


def test_a_trainer_whose_loss_became_nan(tmp_path):
    history = [{"step": 10 * n, "loss": loss} for n, loss in enumerate([3.0, 2.0, math.nan, 1.5])]
    history.append({"step": 40, "loss": math.inf})
    folder = tmp_path / "out" / "checkpoint-40"
    folder.mkdir(parents=True)
    write(folder / "trainer_state.json", json.dumps({"log_history": history}))
    run = read_trajectory(tmp_path / "out", {"solver": "loss"}, time_unit="step")
    assert run.solver.tolist() == [3.0, 2.0, 1.5]
    assert "2 values of 'loss' are not finite and count as not measured" in notes(run)


def test_the_latest_checkpoint_of_a_trainer_counts(tmp_path):
    for step, num in ((5, 3), (40, 5), (9, 4)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        history = [{"step": n, "loss": 3.0 - n / 9} for n in range(num)]
        write(folder / "trainer_state.json", json.dumps({"log_history": history}))
    assert read_trajectory(tmp_path, {"solver": "loss"}).num_rows == 5


def test_a_run_folder_by_the_names_of_its_columns(tmp_path):
    extra = {"solver_accuracy": [0.1, 0.2, 0.3], "verifier_accuracy": [0.3, 0.4, 0.5]}
    write_csv(Trajectory([0, 1, 2], [3.0, 2.0, 1.0], extra=extra), tmp_path / "trajectory.csv")
    columns = {"t": "t", "solver": "solver_accuracy", "verifier": "verifier_accuracy"}
    run = read_trajectory(tmp_path, columns, kind="accuracy")
    assert run.solver.tolist() == [0.1, 0.2, 0.3]
    assert run.verifier.tolist() == [0.3, 0.4, 0.5]


SIDECAR = {
    "kind": "accuracy",
    "num_items": 384,
    "time_unit": "round",
    "provenance": {"seed": 1, "notes": ["as written"], "source": "lab"},
}
SPARSE = "t,acc,nll\n0,0.1,3\n1,nan,2\n2,0.3,1\n3,0.4,0.5\n"


@pytest.mark.parametrize("name", ["trajectory.csv", "log.csv"])
def test_the_sidecar_counts_where_columns_are_named(tmp_path, name):
    path = write(tmp_path / name, SPARSE)
    write(tmp_path / f"{name}.json", json.dumps(SIDECAR))
    path = tmp_path if name == "trajectory.csv" else path
    run = read_trajectory(path, {"solver": "acc"})
    assert (run.kind, run.num_items, run.time_unit) == ("accuracy", 384, "round")
    assert (run.provenance["seed"], run.provenance["source"]) == (1, "lab")
    first, *others = run.provenance["notes"]
    assert first == "as written"
    assert "1 values of 'acc' are not finite" in others[0]
    given = read_trajectory(path, {"solver": "acc"}, num_items=10, time_unit="step")
    assert (given.kind, given.num_items, given.time_unit) == ("accuracy", 10, "step")
    # The items are those of the accuracies.
    other = read_trajectory(path, {"solver": "nll"}, kind="uncertainty")
    assert (other.kind, other.num_items, other.time_unit) == ("uncertainty", None, "round")


def test_a_bad_sidecar_is_refused_where_columns_are_named(tmp_path):
    path = write(tmp_path / "log.csv", "step,nll\n0,3\n1,2\n2,1\n")
    write(tmp_path / "log.csv.json", '{"kinds": "accuracy"}')
    with pytest.raises(TrajectoryError, match=r"log.csv.json: unknown field 'kinds'"):
        read_trajectory(path, {"solver": "nll"})


def test_the_header_of_own_json_lines_counts_where_columns_are_named(tmp_path):
    path = tmp_path / "run.jsonl"
    extra = {"other": [0.3, 0.4, 0.5]}
    write_jsonl(Trajectory([0, 1, 2], [0.1, 0.2, 0.3], extra=extra, **SIDECAR), path)
    run = read_trajectory(path, {"solver": "other"})
    assert run.solver.tolist() == extra["other"]
    assert (run.kind, run.num_items, run.time_unit) == ("accuracy", 384, "round")
    # Another tool's first line is its own, whatever it calls its fields.
    lines = [{"trajectory": [1, 2], "step": n, "nll": 3.0 - n} for n in range(3)]
    write(path, "\n".join(map(json.dumps, lines)))
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3, 2, 1]


CURVE = [{"step": n, "nll": 5.0 - n} for n in range(5)]


@pytest.mark.parametrize(
    "lines",
    [
        # Settings that have a time.
        [{"step": 0, "seed": 42, "lr": 0.1}, *CURVE],
        # A seed for sampling.
        [{**entry, "seed": 7 * n} for n, entry in enumerate(CURVE)],
        # A last line.
        [*CURVE, {"step": 4, "run": "x", "event": "end"}],
        # A seed in the evaluations alone.
        [*({"step": n, "loss": 1.0} for n in range(5)), *({**each, "seed": 1} for each in CURVE)],
        # One run by its name, with a seed for sampling.
        [{**entry, "run": "x", "seed": n} for n, entry in enumerate(CURVE)],
    ],
)
def test_fields_that_are_called_like_a_runs_name_make_no_runs(tmp_path, lines):
    path = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [5, 4, 3, 2, 1]


def test_a_seed_for_sampling_in_a_long_table_makes_no_runs(tmp_path):
    rows = [f"{t},{90 + t},{name},{3 - t}" for t in range(3) for name in ("nll", "acc", "best")]
    path = write(tmp_path / "long.csv", "\n".join(["step,seed,metric,value", *rows]))
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3, 2, 1]


def test_entries_without_a_name_beside_named_runs_are_called_so(tmp_path):
    lines = [{**entry, "run": name} for name in "ab" for entry in CURVE]
    lines.append({"step": 4, "event": "end"})
    path = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.raises(TrajectoryError, match=r"contains 3 runs \(a, b, \(without a name\)\)"):
        read_trajectory(path, {"solver": "nll"})


def test_the_clock_that_was_named_says_which_lines_are_rows(tmp_path):
    lines = [{"lr": 0.1}, *({"run": r, "hour": n, "nll": 3.0 - n} for r in "ab" for n in range(3))]
    path = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.raises(TrajectoryError, match=r"contains 2 runs \(a, b\)"):
        read_trajectory(path, {"t": "hour", "solver": "nll"})


def test_json_lines_of_another_tool(tmp_path):
    lines = [{"step": n, "nll": 3.0 - n, "note": "x", "deep": {"a": 1}} for n in range(3)]
    path = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3.0, 2.0, 1.0]


def test_numbers_in_groups_are_found_by_the_name_of_the_group(tmp_path):
    lines = [{"step": n, "eval": {"acc": {"dev": 0.1 * n}, "nll": 3.0 - n}} for n in range(3)]
    lines[1]["eval/nll"] = 2.5
    path = write(tmp_path / "log.jsonl", "\n".join(map(json.dumps, lines)))
    run = read_trajectory(path, {"solver": "eval/nll", "dev": "eval/acc/dev"})
    assert run.solver.tolist() == [3.0, 2.5, 1.0]
    assert run.extra["dev"].tolist() == [0.0, 0.1, 0.2]


def test_groups_beyond_any_depth_of_a_logger_are_passed_over(tmp_path):
    deep = '{"a":' * 500 + "1" + "}" * 500
    rows = [f'{{"step": {n}, "nll": {3 - n}, "deep": {deep}}}' for n in range(3)]
    path = write(tmp_path / "log.jsonl", "\n".join(rows))
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3, 2, 1]


@pytest.mark.parametrize("mark", ["#N/A", "NA", "<NA>", "-", "--", "#DIV/0!", "NaN", "-inf"])
def test_cells_that_say_that_there_is_no_value_count_as_not_measured(tmp_path, mark):
    path = write(tmp_path / "log.csv", f"step,nll\n0,4\n10,{mark}\n20,2\n30,1\n")
    run = read_trajectory(path, {"solver": "nll"})
    assert run.solver.tolist() == [4, 2, 1]
    assert "1 values of 'nll' are not finite and count as not measured" in notes(run)


def test_columns_without_a_name_are_passed_over(tmp_path):
    path = write(tmp_path / "log.csv", ",step,,nll\n0,0,a,3\n1,10,b,2\n2,20,c,1\n")
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3, 2, 1]


def test_a_time_given_twice_is_said(tmp_path):
    path = write(tmp_path / "log.csv", "step,nll\n0,4\n10,3\n10,2.9\n20,2\n")
    run = read_trajectory(path, {"solver": "nll"})
    assert run.solver.tolist() == [4, 2.9, 2]
    assert "1 times occur more than once, such as 10: the last row counts" in notes(run)


def test_rows_of_other_metrics_do_not_count_as_a_resumed_run(tmp_path):
    path = write(tmp_path / "log.csv", "step,nll,gpu\n0,4,\n10,3,\n3,,70\n20,2,\n4,,71\n")
    run = read_trajectory(path, {"solver": "nll"})
    assert run.ts.tolist() == [0, 10, 20]
    assert "steps back" not in notes(run)


@pytest.mark.parametrize("values", [(0.4, 0.5, 1.2), (0, 0.2, 0.4, 0.6, 5)])
def test_a_few_large_fractions_are_a_mistake_and_no_percentages(tmp_path, values):
    rows = "".join(f"{t},{value}\n" for t, value in enumerate(values))
    path = write(tmp_path / "log.csv", "step,acc\n" + rows)
    with pytest.raises(TrajectoryError, match=r"must lie in \[0, 1\], got .* divide all") as error:
        read_trajectory(path, {"solver": "acc"}, kind="accuracy")
    # Its columns were named, which did not help.
    assert "columns=" not in str(error.value)


@pytest.mark.parametrize("best", ["0.5,0.6,0.7", "50,60,120", "-5,60,70"])
def test_percent_beside_another_unit_is_refused(tmp_path, best):
    rows = "".join(f"{t},{10 + t},{value}\n" for t, value in enumerate(best.split(",")))
    path = write(tmp_path / "log.csv", "step,acc,best\n" + rows)
    with pytest.raises(TrajectoryError, match="'acc' looks like percent and 'best' does not"):
        read_trajectory(path, {"solver": "acc", "verifier": "best"}, kind="accuracy")


def test_a_low_solver_is_percent_where_its_verifier_is(tmp_path):
    path = write(tmp_path / "log.csv", "step,acc,best\n0,0,1\n1,0.5,2\n2,0.8,5\n3,3,9\n")
    run = read_trajectory(path, {"solver": "acc", "verifier": "best"}, kind="accuracy")
    assert run.solver.tolist() == [0, 0.005, 0.008, 0.03]
    assert run.verifier.tolist() == [0.01, 0.02, 0.05, 0.09]


def test_a_solver_below_one_percent_is_percent_where_its_verifier_is(tmp_path):
    path = write(tmp_path / "log.csv", "step,acc,best\n0,0.1,2\n1,0.5,3\n2,0.8,4\n")
    run = read_trajectory(path, {"solver": "acc", "verifier": "best"}, kind="accuracy")
    assert run.solver.tolist() == [0.001, 0.005, 0.008]
    assert run.verifier.tolist() == [0.02, 0.03, 0.04]
    assert "'best' looks like percent and was divided by 100, 'acc' with it" in notes(run)


def test_a_solver_in_fractions_below_a_verifier_in_percent_is_refused(tmp_path):
    path = write(tmp_path / "log.csv", "step,acc,best\n0,0.1,52\n1,0.5,63\n2,0.6,84\n")
    with pytest.raises(TrajectoryError, match="if both are percentages, divide both by 100"):
        read_trajectory(path, {"solver": "acc", "verifier": "best"}, kind="accuracy")


def write_events(folder, rows, start, tag="eval/nll"):
    """One event file of a scalar's (step, value) rows, as a training process writes it."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder), filename_suffix=f".{start}")
    for index, (step, value) in enumerate(rows):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(step=step, wall_time=float(start + index), summary=summary))
    writer.close()


def test_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    write_events(tmp_path, [(0, 3.0), (10, 2.0), (20, 1.0)], start=1)
    run = read_trajectory(tmp_path, {"solver": "eval/nll"})
    assert run.ts.tolist() == [0, 10, 20]
    assert run.solver.tolist() == [3, 2, 1]


def test_fractions_in_a_column_of_percentages_are_reported(tmp_path):
    path = write(tmp_path / "log.csv", "t,acc\n0,0.31\n1,0.35\n2,40\n3,45\n4,50\n")
    run = read_trajectory(path, {"t": "t", "solver": "acc"}, kind="accuracy")
    assert "so were 2 values below 1 (the largest 0.35): if those are fractions" in notes(run)


@pytest.mark.parametrize(
    ("columns", "meant"),
    [
        ({"t": "t", "solver": "s", "verfier": "v"}, "'verfier' .* is 'verifier' meant"),
        ({"time": "v", "solver": "s"}, "'time' .* is 't' meant"),
        ({"t": "t", "solver": "s", "solver_stderr": "v"}, "only if .* is called 'solver_se'"),
        ({"t": "t", "solver": "s", "pass_at_k": "v"}, "^$"),
    ],
)
def test_a_misspelt_column_is_asked_about(tmp_path, columns, meant):
    path = write(tmp_path / "log.csv", "t,s,v\n0,3,0\n1,2,1\n2,1,2\n")
    assert re.search(meant, notes(read_trajectory(path, columns)))


@pytest.mark.parametrize("columns", [None, {name: name for name in ("t", "solver", "num_items")}])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_column_of_the_number_of_items_is_that_number(tmp_path, columns, ending):
    def read(counts, **metadata):
        rows = [(t, 0.3 + 0.1 * t, count) for t, count in enumerate(counts)]
        lines = {
            "csv": ["t,solver,num_items", *(",".join(map(str, row)) for row in rows)],
            "jsonl": [
                json.dumps(dict(zip(("t", "solver", "num_items"), row, strict=True)))
                for row in rows
            ],
        }
        path = write(tmp_path / f"run.{ending}", "\n".join(lines[ending]) + "\n")
        return read_trajectory(path, columns, **metadata)

    counted = read([100, 100, 100], kind="accuracy")
    assert (counted.num_items, dict(counted.extra), notes(counted)) == (100, {}, "")
    differing = read([100, 200, 100], kind="accuracy")
    assert (differing.num_items, list(differing.extra)) == (None, ["num_items"])
    assert "give `num_items`" in notes(differing)
    given = read([100, 200, 100], kind="accuracy", num_items=50)
    assert (given.num_items, list(given.extra)) == (50, ["num_items"])
    assert "counts only with kind='accuracy'" in notes(read([100, 100, 100]))


@pytest.mark.parametrize("shape", [(), (1,)], ids=["scalar", "one element"])
@pytest.mark.parametrize("stored_as", ["tensor_content", "float_val", "double_val", "int64_val"])
def test_tensorboard_events_of_tensors(tmp_path, stored_as, shape):
    """What TensorFlow 2's writer and those that follow it leave: a tensor of one number."""
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DataType
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    def tensor(value):
        if stored_as == "tensor_content":
            content = np.float64(value).tobytes()
            proto = TensorProto(dtype=DataType.DT_DOUBLE, tensor_content=content)
        else:
            dtype = DataType.Value(f"DT_{stored_as.removesuffix('_val').upper()}")
            proto = TensorProto(dtype=dtype, **{stored_as: [value]})
        proto.tensor_shape.SetInParent()
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
        return proto

    writer = EventFileWriter(str(tmp_path))
    for step in range(3):
        values = [
            Summary.Value(tag="eval/nll", tensor=tensor(3 - step)),
            Summary.Value(tag="a note", tensor=make_tensor_proto("text")),
            Summary.Value(tag="a histogram", tensor=make_tensor_proto([1.0, 2.0])),
        ]
        writer.add_event(Event(step=step, wall_time=float(step), summary=Summary(value=values)))
    writer.close()
    run = read_trajectory(tmp_path, {"solver": "eval/nll"})
    assert run.ts.tolist() == [0, 1, 2]
    assert run.solver.tolist() == [3, 2, 1]


def test_a_resumed_run_of_several_event_files_is_joined_and_said(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    write_events(tmp_path, [(0, 3.0), (10, 2.0), (20, 9.0), (30, 9.0)], start=1)
    write_events(tmp_path, [(20, 1.5), (30, 1.25)], start=100)
    run = read_trajectory(tmp_path, {"solver": "eval/nll"})
    assert run.solver.tolist() == [3, 2, 1.5, 1.25]
    assert "steps back to 20" in notes(run)
    assert "2 earlier rows were replaced" in notes(run)


def test_events_of_an_evaluation_afterwards_are_no_resumed_run(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    write_events(tmp_path, [(0, 3.0), (10, 2.0), (20, 1.0)], start=1)
    write_events(tmp_path, [(0, 2.0), (10, 1.5), (20, 0.5)], start=100, tag="eval/best")
    run = read_trajectory(tmp_path, {"solver": "eval/nll", "verifier": "eval/best"})
    assert run.solver.tolist() == [3, 2, 1]
    assert run.verifier.tolist() == [2, 1.5, 0.5]
    assert notes(run) == ""


def test_damaged_events_are_refused_in_one_line(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    (tmp_path / "events.out.tfevents.1").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(TrajectoryError, match="events") as error:
        read_trajectory(tmp_path, {"solver": "eval/nll"})
    assert "\n" not in str(error.value)


def test_a_log_of_several_runs_is_not_taken_for_one(tmp_path):
    path = write(
        tmp_path / "long.csv",
        "run,step,metric,value\n"
        + "".join(f"{r},{t},nll,{3 - t}\n" for r in "ab" for t in range(3)),
    )
    with pytest.raises(
        TrajectoryError, match=r"contains 2 runs \(a, b\): jaxgap compare reads them"
    ):
        read_trajectory(path, {"solver": "nll"})


@pytest.mark.parametrize("columns", [None, {"solver": "eval/nll"}])
@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "there is no run or log in this folder: no trajectory.csv, no trainer_state.json"),
        (["config.json", "a.csv"], "there is no run or log in this folder"),
        (["config.json", "versions.json"], "no trajectory.csv yet: a fit needs three checkpoints$"),
    ],
    ids=["empty", "model", "young run"],
)
def test_a_folder_without_measurements_is_refused_as_what_it_is(tmp_path, files, message, columns):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(TrajectoryError, match=message):
        read_trajectory(tmp_path, columns)


def test_a_young_run_is_no_log_of_unknown_columns(tmp_path):
    for name in ("config.json", "versions.json", "events.out.tfevents.1.2"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(TrajectoryError, match=r"a fit needs three checkpoints$"):
        read_trajectory(tmp_path)
    (tmp_path / "versions.json").unlink()
    with pytest.raises(TrajectoryError, match="say which of its columns is which"):
        read_trajectory(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "columns", "message"),
    [
        ("log.json", "{}", {"solver": "x"}, "log.json: no 'log_history' list"),
        ("log.json", '{"log_history": [1]}', {"solver": "x"}, "entry 1: must be an object"),
        ("log.json", "{}", None, "say which of its columns is which, as in columns={'t': 'step'"),
        ("log.csv", "a,b\n1,2\n", {"solver": "b"}, "name the column of times"),
        ("log.csv", "step,b\n1,2\n", {"t": "step"}, "name the solver's column"),
        ("log.csv", "step,b\n1,2\n", {"solver": "c"}, "no column 'c'; there are step, b"),
        ("log.csv", "step,a - x,b - x\n1,2,3\n", {"solver": "x"}, "several columns end in 'x'"),
        ("log.csv", "step,b\n1,2\n2,x\n", {"solver": "b"}, ":3: column 'b': must be a number"),
        ("log.csv", "step,b\n1,2\n2,2\n", {"solver": "b"}, "only 2 rows have all of step, b"),
        ("log.csv", "step,metric,value\n1,,2\n", {"solver": "b"}, ":2: a row needs both"),
        ("log.csv", "step,b,b\n1,2,3\n", {"solver": "b"}, ":1: column 'b' is given twice; rename"),
        ("log.csv", "run,run,step,b\na,x,1,2\n", {"solver": "b"}, "'run' is given twice; rename"),
        ("log.csv", "step,b,c\n1,2,\n", {"solver": "c"}, "log.csv: column 'c' has no values$"),
        ("log.csv", "t,b\n", {"solver": "b"}, "log.csv: column 't' has no values$"),
        ("log.jsonl", "{}", {"t": "t", "solver": "b"}, "no column 't'; there are none$"),
        (
            "log.json",
            '{"step": 0}\n{"step": 1}\n',
            {"solver": "b"},
            "not valid JSON: Extra data: .*; if each line is an object, rename .* to log.jsonl$",
        ),
        ("log.json", '{"step": 0', {"solver": "b"}, r"not valid JSON: [^;]*$"),
        ("log.jsonl", '{"t": 0, "t": 1}', {"solver": "b"}, "key 't' is given twice$"),
        (
            "log.jsonl",
            '{"step": 0, "b": 1}\n{"step": 1, "b',
            {"solver": "b"},
            "log.jsonl:2: not valid JSON: .*; the last line is incomplete: is the file still being",
        ),
        ("log.jsonl", '{"step": 0, "b\n', {"solver": "b"}, "log.jsonl:1: not valid JSON: [^;]*$"),
    ],
)
def test_logs_that_cannot_be_used_are_refused_in_one_line(tmp_path, name, text, columns, message):
    with pytest.raises(TrajectoryError, match=message) as error:
        read_trajectory(write(tmp_path / name, text), columns)
    assert "\n" not in str(error.value)


def test_columns_of_one_name_are_not_in_the_way_of_others(tmp_path):
    path = write(tmp_path / "log.csv", "step,loss,loss,nll\n0,1,2,3\n1,1,2,2\n2,1,2,1\n")
    assert read_trajectory(path, {"solver": "nll"}).solver.tolist() == [3, 2, 1]


@pytest.mark.parametrize("columns", [None, {"solver": "solver"}])
def test_endings_may_be_in_upper_case(tmp_path, columns):
    lines = [json.dumps({"t": n, "solver": 3.0 - n}) for n in range(3)]
    path = write(tmp_path / "run.JSONL", "\n".join(lines))
    assert read_trajectory(path, columns).solver.tolist() == [3, 2, 1]
    assert [named.name for named in read_runs([tmp_path], columns).runs] == ["run"]


def test_a_folder_without_events_is_refused(tmp_path):
    with pytest.raises(InputError, match=f"{tmp_path}: "):
        read_trajectory(tmp_path, {"solver": "x"})


def test_a_log_history_alone_is_read(tmp_path):
    history = [{"step": step, "eval_acc": 0.4 + 0.01 * step} for step in (0, 10, 20)]
    (tmp_path / "log.json").write_text(json.dumps(history))
    run = read_trajectory(tmp_path / "log.json", {"solver": "eval_acc"}, kind="accuracy")
    assert (run.ts.tolist(), run.time_unit) == ([0, 10, 20], "step")
