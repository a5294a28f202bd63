"""Tables as spreadsheets and scripts write them are read as the same run."""

from pathlib import Path

import pytest

from jaxgap.trajectory import Trajectory, TrajectoryError, read_csv
from jaxgap.trajectory.read import read_trajectory
from jaxgap.trajectory.table import table_rows

PLAIN = "Step,eval acc\n0,0.41\n10,0.52\n20,0.585\n30,6e-1\n"
WRITTEN = {
    "semicolons and decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "semicolons and points": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "remarks above the header": "# by me\r\n# in 2026\r\n" + PLAIN.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + PLAIN.replace(",", ";"),
    "Excel's line on the separator": "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
    "columns without anything": PLAIN.replace(",", ",,").replace("\n", ",,\n"),
    "empty cells beyond the header": PLAIN.replace("0.41\n", "0.41,,\n"),
    "an index without a name": "".join(
        f"{n or ''},{row}\n" for n, row in enumerate(PLAIN.splitlines())
    ),
    "percentages": "Step,eval acc\n0,41%\n10,52 %\n20,58.5%\n30,60.0%\n",
    "percentages with decimal commas": "Step;eval acc\n0;41%\n10;52\u00a0%\n20;58,5 %\n30;60,0%\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_every_way_of_writing_it_is_the_same_run(tmp_path, text):
    (tmp_path / "log.csv").write_text(text, newline="")
    columns = {"t": "Step", "solver": "eval acc"}
    run = read_trajectory(tmp_path / "log.csv", columns, kind="accuracy")
    assert run.ts.tolist() == [0, 10, 20, 30]
    assert run.solver.tolist() == [0.41, 0.52, 0.585, 0.6]
    assert run.time_unit == "step"


def test_own_columns_may_stand_between_semicolons_too(tmp_path):
    (tmp_path / "run.csv").write_text("t;solver\n0;3,5\n1;2,25\n2;2\n")
    assert read_trajectory(tmp_path / "run.csv").solver.tolist() == [3.5, 2.25, 2.0]


@pytest.mark.parametrize("header", ["t,solver,,", "t,,solver,"])
def test_columns_without_name_and_value_are_dropped_from_own_files_too(tmp_path, header):
    place = header.split(",").index("solver")
    rows = "".join(f"{t}{',' * place}{3 - t}{',' * (3 - place)}\n" for t in range(3))
    (tmp_path / "run.csv").write_text(f"{header}\n{rows},,,\n")
    run = read_csv(tmp_path / "run.csv")
    assert run == Trajectory([0, 1, 2], [3, 2, 1])


def test_percentages_are_fractions_of_any_size(tmp_path):
    rows = "t,solver,solver_se\n0,0.3%,0.1%\n1,0.5%,0.1%\n2,0.9%,0.1%\n"
    (tmp_path / "run.csv").write_text(rows)
    for columns in (None, {"t": "t", "solver": "solver", "solver_se": "solver_se"}):
        run = read_trajectory(tmp_path / "run.csv", columns, kind="accuracy")
        assert run.solver.tolist() == [0.003, 0.005, 0.009]
        assert run.solver_se is not None
        assert run.solver_se.tolist() == [0.001, 0.001, 0.001]


@pytest.mark.parametrize("columns", [None, {"t": "t", "solver": "solver"}])
def test_percentages_among_numbers_without_the_sign_are_refused(tmp_path, columns):
    (tmp_path / "run.csv").write_text("t,solver\n0,0.3\n1,45%\n2,56%\n")
    message = r":3: column 'solver': .* got '45%'; a % is read where every number of a column has"
    with pytest.raises(TrajectoryError, match=message):
        read_trajectory(tmp_path / "run.csv", columns)


def test_cells_without_a_value_do_not_keep_percentages_from_being_read(tmp_path):
    (tmp_path / "run.csv").write_text("step,acc\n0,30%\n1,-\n2,\n3,45%\n4,50%\n")
    run = read_trajectory(tmp_path / "run.csv", {"solver": "acc"})
    assert run.solver.tolist() == [0.3, 0.45, 0.5]


def test_lines_are_counted_from_the_top_of_the_file():
    rows = table_rows("# a remark\n\nt,solver\n0,1\n", Path("run.csv"))
    assert rows == [(3, ["t", "solver"]), (4, ["0", "1"])]
    with pytest.raises(TrajectoryError, match=r"run.csv:3: not valid CSV"):
        table_rows('# a remark\nt,solver\n"0"1,1\n', Path("run.csv"))


def test_text_with_a_comma_is_no_number():
    rows = [cells for _, cells in table_rows("name;x\na,b;1,5\n1,2,3;1,5e-2\n", Path("x.csv"))]
    assert rows == [["name", "x"], ["a,b", "1.5"], ["1,2,3", "1.5e-2"]]


def test_points_in_another_column_leave_decimal_commas_as_they_are():
    text = "t;solver;version\n0;3,5;1.0\n1;2,5;1.0\n2;2,125;12.30\n"
    rows = [cells for _, cells in table_rows(text, Path("x.csv"))]
    assert [cells[1] for cells in rows] == ["solver", "3.5", "2.5", "2.125"]


@pytest.mark.parametrize(
    "text",
    [
        "t\tsolver\n1,000\t0.5\n2,000\t0.4\n3,000\t0.35\n",
        "t\tsolver\n500\t3\n1,000\t2\n1,500\t.35\n",
        "t\tsolver\n500\t3\n1,000\t52.5%\n1,500\t60%\n",
        "t;solver\n1.000;3,5\n2.000;2,25\n3.000;1,5\n",
        't,solver\n"1,000",3\n"2,000",2\n"3,000",1\n',
        't,solver\n0,"30,5%"\n1,"40,1%"\n2,45 %\n',
        "t;solver\n0;1.234,5\n1;1.100,5\n2;1000\n",
    ],
)
@pytest.mark.parametrize("columns", [None, {"t": "t", "solver": "solver"}])
def test_a_comma_that_may_separate_thousands_is_refused(tmp_path, text, columns):
    (tmp_path / "run.csv").write_text(text)
    with pytest.raises(TrajectoryError, match=r":[23]: column .*; write it with a decimal point"):
        read_trajectory(tmp_path / "run.csv", columns)


@pytest.mark.parametrize(
    ("clock", "unit"),
    [
        ("train/global_step", "step"),
        ("_step", "step"),
        ("Epoch", "epoch"),
        ("lr", "epoch"),
        ("steps", "step"),
        ("Epochs", "epoch"),
        ("rounds", "round"),
        ("train/tokens", "token"),
    ],
)
def test_the_name_of_the_clock_says_the_unit_of_time(tmp_path, clock, unit):
    (tmp_path / "log.csv").write_text(f"{clock},nll\n0,3\n1,2\n2,1.5\n")
    columns = {"t": clock, "solver": "nll"}
    assert read_trajectory(tmp_path / "log.csv", columns).time_unit == unit
    given = read_trajectory(tmp_path / "log.csv", columns, time_unit="hours")
    assert given.time_unit == "hour"
