"""CSV and JSONL: nothing is lost on the way out and in, and every bad file gets one clear line."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.trajectory import (
    Trajectory,
    TrajectoryError,
    read_csv,
    read_jsonl,
    write_csv,
    write_jsonl,
)
from jaxgap.trajectory.read import read_trajectory

FORMATS = [("run.csv", write_csv, read_csv), ("run.jsonl", write_jsonl, read_jsonl)]

finite = st.floats(allow_nan=False, allow_infinity=False)
RESERVED = {"t", "ts", "solver", "verifier", "solver_se", "verifier_se", "trajectory"}
BY_NAME = "columns={'t': 'NAME', 'solver': 'NAME'}"
names = (
    st.text(min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda name: name and name.isprintable() and name.lower() not in RESERVED)
)


@st.composite
def trajectories(draw):
    num_rows = draw(st.integers(3, 8))
    column = st.lists(finite, min_size=num_rows, max_size=num_rows)
    gapped = st.lists(finite | st.just(math.nan), min_size=num_rows, max_size=num_rows)
    ts = draw(st.lists(finite, min_size=num_rows, max_size=num_rows, unique=True).map(sorted))
    verifier = draw(st.none() | column)
    return Trajectory(
        ts,
        draw(column),
        verifier,
        solver_se=draw(st.none() | column.map(np.abs)),
        verifier_se=None if verifier is None else draw(st.none() | column.map(np.abs)),
        extra=draw(st.dictionaries(names, gapped, max_size=3)),
        time_unit=draw(names),
        provenance=draw(st.dictionaries(st.text(), st.text() | st.integers(), max_size=3)),
    )


@pytest.mark.parametrize(("name", "write", "read"), FORMATS)
@given(run=trajectories())
@settings(max_examples=60, deadline=None)
def test_round_trip_loses_nothing(tmp_path_factory, name, write, read, run):
    path = tmp_path_factory.mktemp("run") / name
    write(run, path)
    assert read(path) == run


@pytest.mark.parametrize(("name", "write", "read"), FORMATS)
def test_round_trip_of_accuracies_keeps_the_number_of_items(tmp_path, name, write, read):
    run = Trajectory([0, 1, 2], [0, 0.5, 1], kind="accuracy", num_items=64, time_unit="step")
    write(run, tmp_path / name)
    assert read(tmp_path / name).num_items == 64


def test_given_metadata_replaces_the_sidecar(tmp_path):
    write_csv(Trajectory([0, 1, 2], [0.1, 0.2, 0.3], time_unit="step"), tmp_path / "run.csv")
    run = read_csv(tmp_path / "run.csv", kind="accuracy", num_items=10)
    assert (run.kind, run.num_items, run.time_unit) == ("accuracy", 10, "step")


@pytest.mark.parametrize(("name", "write", "read"), FORMATS)
def test_the_number_of_items_goes_with_the_files_kind(tmp_path, name, write, read):
    run = Trajectory([0, 1, 2], [0, 0.5, 1], kind="accuracy", num_items=64)
    write(run, tmp_path / name)
    assert read(tmp_path / name, kind="uncertainty").num_items is None


ROWS = "0,1.0\n1,0.5\n2,0.25\n"

BAD_CSV = [
    (
        "t,verifier\n" + ROWS,
        rf":1: missing column 'solver'; found t, verifier; say which is which by "
        rf"{BY_NAME}$",
    ),
    ("a,b\n" + ROWS, r":1: missing columns 't' and 'solver'"),
    (ROWS, r":1: the first line has to name the columns, but has only numbers: '0, 1.0'$"),
    (
        "# t,solver\n" + ROWS,
        r":2: .* only numbers \(lines above it that begin with # are skipped\)",
    ),
    ("t,Solver,SOLVER\n0,1,1\n", r":1: missing column 'solver'; found t, Solver, SOLVER;"),
    ("t,solver,solver\n0,1,1\n", r":1: column 'solver' is given twice"),
    ("t,solver,\n0,1,1\n", r":1: the column after 'solver' has no name"),
    (
        ",t,solver\n0,0,1\n1,1,2\n2,2,3\n",
        rf":1: the first column has no name; reading with {BY_NAME} skips",
    ),
    ("t,solver\n0,1\n1,two\n2,3\n", r":3: column 'solver': must be a number, got 'two'"),
    ("t,solver\n0,1\n1,1_0\n2,3\n", r":3: column 'solver': must be a number, got '1_0'"),
    ("t,solver\n0,1\n1,two\n2,3\n", r"must be a number, got 'two'$"),
    (
        "t,solver\n0,1\n1,nan\n2,3\n",
        rf":3: column 'solver': must be a finite number, got 'nan'; reading with {BY_NAME}",
    ),
    (
        "t,solver\n0,1\n1,#N/A\n2,3\n",
        rf":3: .* got '#N/A'; reading with {BY_NAME} counts it as not",
    ),
    (
        "t,solver,note\n0,1,lr drop\n1,2,\n2,3,\n",
        rf":2: column 'note': must be a number, got 'lr drop'; reading with {BY_NAME} skips",
    ),
    ("t,solver,x\n0,1,1\n1,2,-inf\n2,3,1\n", r":3: column 'x': must be a finite number"),
    ("t,solver\n0,1\n1,1e999\n2,3\n", r":3: column 'solver': '1e999' is too large"),
    (
        "t,solver\n0,1\n1,\n2,3\n",
        rf":3: column 'solver': the cell is empty; only .*; reading with {BY_NAME} skips such rows",
    ),
    (
        "t,solver,verifier\n0,1,1\n1,1,\n2,3,1\n",
        rf":3: column 'verifier': .*{BY_NAME} reads the solver alone on all rows",
    ),
    ("t,solver\n0,1\n2,1\n2,3\n", r":4: column 't': times must increase, got 2.0"),
    ("t,solver\n\n0,1\n\n2,1\n1,3\n", r":6: column 't': times must increase, got 1.0"),
    ("t,solver\n0,1\n1,2\n", r"run.csv: at least 3 rows are needed, got 2"),
    ("t,solver\n0,1\n1,2,3\n2,3\n", r":3: 3 cells, but the header names 2 columns"),
    ("t,solver,solver_se\n0,1,1\n1,1,-1\n2,1,1\n", r":3: column 'solver_se': .*not be negative"),
    ("", r"run.csv: the file is empty"),
    (" \n\n", r"run.csv: the file is empty"),
    ("# nothing else\n", r"run.csv: the table is empty"),
    ("t,solver\n", r"run.csv: at least 3 rows are needed, got 0"),
    ('t,solver\n0,"1\n', r"not valid CSV"),
    ("t,solver\n0,1\n1,\0\n", r":3: a binary file"),
]


@pytest.mark.parametrize(("text", "message"), BAD_CSV)
def test_bad_csv_is_refused_with_file_line_and_column(tmp_path, text, message):
    path = tmp_path / "run.csv"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=message) as error:
        read_csv(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("-0.1", r"must lie in \[0, 1\], got -0.1$"),
        ("55", r"got 55.0; the column has values on both sides of 1: if they are percentages"),
    ],
)
def test_accuracies_outside_the_unit_interval_are_refused(tmp_path, value, message):
    path = tmp_path / "run.csv"
    path.write_text(f"t,solver\n0,0.1\n1,{value}\n2,0.5\n")
    with pytest.raises(TrajectoryError, match=f":3: column 'solver': .*{message}"):
        read_csv(path, kind="accuracy")


def test_accuracies_in_percent_are_refused_with_what_to_do(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("t,solver\n0,0.1\n1,55\n2,60\n")
    with pytest.raises(TrajectoryError, match=r"looks like percentages: divide it by 100, or read"):
        read_csv(path, kind="accuracy")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("run.csv", "T,Solver,VERIFIER,T2\n0,3,2,9\n1,2,1,8\n2,1,0.5,7\n"),
        (
            "run.jsonl",
            "".join(
                f'{{"T": {t}, "Solver": {3 - t}, "VERIFIER": {2 / 2**t}, "T2": {9 - t}}}\n'
                for t in range(3)
            ),
        ),
    ],
)
def test_own_columns_may_be_written_in_any_case(tmp_path, name, rows):
    (tmp_path / name).write_text(rows)
    run = (read_csv if name.endswith("csv") else read_jsonl)(tmp_path / name)
    expected = Trajectory([0, 1, 2], [3, 2, 1], [2, 1, 0.5], extra={"T2": [9, 8, 7]})
    assert run == expected


def test_a_column_of_another_case_beside_the_own_one_is_extra(tmp_path):
    (tmp_path / "run.csv").write_text("t,solver,T\n0,3,0.7\n1,2,0.7\n2,1,0.7\n")
    run = read_csv(tmp_path / "run.csv")
    assert run.ts.tolist() == [0, 1, 2]
    assert run.extra["T"].tolist() == [0.7, 0.7, 0.7]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_text_in_another_encoding_is_refused_with_what_to_do(tmp_path, encoding):
    (tmp_path / "run.csv").write_bytes(("t;solver;Gr\u00f6\u00dfe\n" + ROWS).encode(encoding))
    with pytest.raises(TrajectoryError, match=r"save it in UTF-8, which Excel calls CSV UTF-8$"):
        read_csv(tmp_path / "run.csv")


def test_binary_and_missing_files_are_refused(tmp_path):
    (tmp_path / "run.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(TrajectoryError, match=r"run.csv:1: not a text file in UTF-8 \(byte 0\)"):
        read_csv(tmp_path / "run.csv")
    # After a byte order mark and a line of five characters.
    (tmp_path / "run.csv").write_bytes(b"\xef\xbb\xbft;u_s\n\xff")
    with pytest.raises(TrajectoryError, match=r"run.csv:2: not a text file in UTF-8 \(byte 9\)"):
        read_csv(tmp_path / "run.csv")
    with pytest.raises(TrajectoryError, match="no such file"):
        read_csv(tmp_path / "other.csv")
    with pytest.raises(TrajectoryError, match="not a file"):
        read_csv(tmp_path)


BAD_JSONL = [
    ('{"t": 0, "solver": 1}\n[1]\n', r":2: must be a JSON object"),
    ('{"t": 0, "solver": NaN}\n', r":1: not valid JSON: NaN"),
    ('{"t": 0, "solver": 1, "t": 2}\n', r":1: not valid JSON: key 't' is given twice"),
    ('{"t": 0, "solver": "1"}\n', r":1: column 'solver': must be a number"),
    ('{"t": 0, "solver": true}\n', r":1: column 'solver': must be a number"),
    (
        '{"t": 0, "solver": 1, "eval": {"acc": 1}}\n',
        rf":1: column 'eval': must be a number, got .*; reading with {BY_NAME} skips columns",
    ),
    ('{"t": 0, "solver": 1' + "0" * 400 + "}\n", r":1: column 'solver': .* is too large"),
    ('{"t": 0}\n{"t": 1}\n{"t": 2}\n', r"missing column 'solver'"),
    ('{"t": 0, "solver": 1}\n{"t": 1}\n{"t": 2}\n', r":2: column 'solver': the cell is empty"),
    ('{"trajectory": {"kind": 3}}\n{"t": 0, "solver": 1}\n', r":1: 'kind' must be a word"),
    ('{"trajectory": {"sort": "x"}}\n{"t": 0, "solver": 1}\n', r":1: unknown field 'sort'"),
    ('{"trajectory": {}}\n', r"missing columns 't' and 'solver'"),
    ("[" * 100_000, r":1: "),
]


@pytest.mark.parametrize(("text", "message"), BAD_JSONL)
def test_bad_jsonl_is_refused_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    with pytest.raises(TrajectoryError, match=re.escape(str(path)) + ".*" + message) as error:
        read_jsonl(path)
    assert "\n" not in str(error.value)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300, deadline=None)
@pytest.mark.parametrize(("name", "write", "read"), FORMATS)
def test_any_bytes_give_a_trajectory_or_one_clear_line(tmp_path_factory, name, write, read, data):
    path = tmp_path_factory.mktemp("run") / name
    path.write_bytes(b"t,solver\n0,1\n1,1\n" + data if name.endswith("csv") else data)
    message = ""
    try:
        read(path)
    except TrajectoryError as error:
        message = str(error)
    assert "\n" not in message


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.csv"
    old = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])
    write_csv(old, path)

    def fail(*_):
        raise KeyboardInterrupt("while writing")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(KeyboardInterrupt, match="while writing"):
        write_csv(Trajectory([0, 1, 2], [9.0, 9.0, 9.0]), path)
    assert read_csv(path) == old
    assert sorted(found.name for found in tmp_path.iterdir()) == ["run.csv", "run.csv.json"]


def test_the_measured_curves_survive_the_round_trip(shared_data, tmp_path):
    paths = [path for path in shared_data.glob("*/*.csv") if "manifest" not in path.name]
    assert len(paths) > 40
    for path in paths:
        run = read_csv(path)
        write_jsonl(run, tmp_path / "run.jsonl")
        assert read_jsonl(tmp_path / "run.jsonl") == run


@pytest.mark.parametrize("by_time", [False, True])
def test_several_seeds_in_a_file_are_for_comparing(tmp_path, by_time):
    rows = [(seed, t) for seed in (3, 4) for t in range(3)]
    rows = sorted(rows, key=lambda row: row[1]) if by_time else rows
    text = "t,solver,Seed\n" + "".join(f"{t},{3 - t},{seed}\n" for seed, t in rows)
    (tmp_path / "runs.csv").write_text(text)
    message = r"times must increase, got [0-9.]+; if column 'Seed' tells runs apart, jaxgap compare"
    with pytest.raises(TrajectoryError, match=message) as error:
        read_csv(tmp_path / "runs.csv")
    assert "columns=" not in str(error.value)


@pytest.mark.parametrize("seeds", [(3, 3, 3, 3, 3), (1, 2, 3, 4, 5)])
def test_a_seed_that_tells_no_runs_apart_leaves_the_advice(tmp_path, seeds):
    rows = zip((0, 1, 2, 1, 2), seeds, strict=True)
    text = "t,solver,seed\n" + "".join(f"{t},1,{seed}\n" for t, seed in rows)
    (tmp_path / "run.csv").write_text(text)
    with pytest.raises(
        TrajectoryError, match=r"times must increase, got 1.0; reading with columns"
    ):
        read_csv(tmp_path / "run.csv")


def test_names_of_runs_are_for_comparing(tmp_path):
    (tmp_path / "runs.csv").write_text("t,solver,run\n0,1,a\n1,2,a\n2,3,a\n")
    with pytest.raises(TrajectoryError, match=r"got 'a'; .* skips columns .*; if this one tells"):
        read_csv(tmp_path / "runs.csv")


def test_the_lines_of_a_run_folder_have_the_metadata_of_its_table(tmp_path):
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5], time_unit="round", provenance={"seed": 3})
    write_csv(run, tmp_path / "trajectory.csv")
    lines = "".join(
        f'{{"t": {t}, "solver": {u}}}\n' for t, u in zip(run.ts, run.solver, strict=False)
    )
    for name in ("metrics.jsonl", "other.jsonl"):
        (tmp_path / name).write_text(lines)
    found = read_trajectory(tmp_path / "metrics.jsonl")
    assert (found.time_unit, dict(found.provenance)) == ("round", {"seed": 3})
    assert read_trajectory(tmp_path / "metrics.jsonl", time_unit="step").time_unit == "step"
    assert read_trajectory(tmp_path / "other.jsonl").time_unit == "epoch"
