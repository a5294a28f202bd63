"""Tables of several runs under an uncommon name are not read as one run, and one run is."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.trajectory import TrajectoryError
from jaxgap.trajectory.collection import read_runs
from jaxgap.trajectory.read import read_trajectory

TIMES = [0, 1, 2, 3]


def written(folder, rows, ending="csv"):
    """A log of (step, nll, label) rows."""
    path = folder / f"log.{ending}"
    if ending == "csv":
        lines = ["step,nll,label", *(",".join(map(str, row)) for row in rows)]
    else:
        lines = [json.dumps(dict(zip(("step", "nll", "label"), row, strict=True))) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("labels", [("train", "test", "dev"), (0, 1, 2)])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("order", ["by label", "by time", "newest first"])
def test_runs_that_another_column_tells_apart_are_refused(tmp_path, labels, ending, order):
    rows = [(t, 9.5 - t, label) for label in labels for t in TIMES]
    if order != "by label":
        rows.sort(key=lambda row: row[0], reverse=order == "newest first")
    path = written(tmp_path, rows, ending)
    message = (
        r"the times recur for 3 values of 'label' .*: if it tells runs apart, rename it to 'run'"
    )
    with pytest.raises(TrajectoryError, match=message):
        read_trajectory(path, {"solver": "nll"})
    (unreadable,) = read_runs([path], {"solver": "nll"}).unreadable
    assert "rename it to 'run'" in unreadable.problem
    path.write_text(path.read_text().replace("label", "run"))
    assert len(read_runs([path], {"solver": "nll"}).runs) == 3


def test_where_a_column_names_runs_the_other_is_to_be_put_into_it(tmp_path):
    path = tmp_path / "log.csv"
    rows = [f"{run},{split},{t},{9.5 - t}" for run in "ab" for split in "xy" for t in TIMES]
    path.write_text("\n".join(["run,split,step,nll", *rows]) + "\n")
    found = read_runs([path], {"solver": "nll"})
    assert not found.runs
    for unreadable in found.unreadable:
        assert "put both it and 'run' into 'run'" in unreadable.problem


def test_runs_of_different_lengths_are_refused(tmp_path):
    rows = [(t, 9.5 - t, label) for label, last in (("a", 4), ("b", 7)) for t in range(last)]
    with pytest.raises(TrajectoryError, match=r"the times recur for 2 values of 'label' \(a, b\)"):
        read_trajectory(written(tmp_path, rows), {"solver": "nll"})


@settings(deadline=None)
@given(saved=st.integers(1, 8), more=st.integers(0, 5), late=st.integers(0, 2))
def test_a_resumed_run_is_one_run_whatever_numbers_its_sessions(
    saved, more, late, tmp_path_factory
):
    rows = [(t, 20.0 - t, "first") for t in range(saved + late + 1)]
    rows += [(t, 19.5 - t, "second") for t in range(saved, saved + late + 1 + more)]
    path = written(tmp_path_factory.mktemp("log"), rows)
    if len({t for t, *_ in rows}) >= 3:
        run = read_trajectory(path, {"solver": "nll"})
        assert run.solver[saved:].tolist() == [t for _, t, label in rows if label == "second"]


@pytest.mark.parametrize(
    "rows",
    [
        # A last evaluation, or a start that failed early.
        [*((t, 9.5 - t, "train") for t in TIMES), (3, 6.0, "test")],
        [(0, 9.0, "a"), (1, 8.0, "a"), *((t, 9.5 - t, "b") for t in TIMES)],
        # A column that changes within a run, or is the same in both.
        [(t, 9.5 - t, t) for t in [*TIMES, *TIMES]],
        [(t, 9.5 - t, "a") for t in [*TIMES, *TIMES]],
        [(t, 9.5 - t, "ab"[t > 1]) for t in [*TIMES, *TIMES]],
    ],
)
def test_what_tells_no_runs_apart_is_no_reason_to_refuse(tmp_path, rows):
    assert read_trajectory(written(tmp_path, rows), {"solver": "nll"}).ts.tolist() == TIMES


def test_what_a_file_calls_its_runs_stays_on_one_line(tmp_path):
    rows = [(t, 9.5 - t, f'"run\n{label}"') for label in range(50) for t in TIMES]
    with pytest.raises(TrajectoryError, match="the times recur for 50 values") as error:
        read_trajectory(written(tmp_path, rows), {"solver": "nll"})
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400 + len(str(tmp_path))
