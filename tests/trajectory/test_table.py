"""Tables as spreadsheets and scripts write them are read as the same run."""

import pytest

from jaxgap.trajectory import Trajectory, TrajectoryError, read_csv
from jaxgap.trajectory.read import read_trajectory
from jaxgap.trajectory.table import read_table

PLAIN = "Step,eval acc\n0,0.41\n10,0.52\n20,0.585\n30,6e-1\n"
WRITTEN = {
    "semicolons and decimal commas": PLAIN.replace(",", ";").replace(".", ","),
    "semicolons and points": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "remarks above the header": "# by me\r\n# in 2026\r\n" + PLAIN.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + PLAIN.replace(",", ";"),
    "Excel's line on the separator": "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
    "blank lines among remarks": "\n# by me\n \n# in 2026\n\n" + PLAIN,
    "carriage returns": "# by me\r" + PLAIN.replace("\n", "\r"),
    "carriage returns and decimal commas": PLAIN.replace(",", ";")
    .replace(".", ",")
    .replace("\n", "\r"),
    "columns without anything": PLAIN.replace(",", ",,").replace("\n", ",,\n"),
    "empty cells beyond the header": PLAIN.replace("0.41\n", "0.41,,\n"),
    "an index without a name": "".join(
        f"{n or ''},{row}\n" for n, row in enumerate(PLAIN.splitlines())
    ),
    "percentages": "Step,eval acc\n0,41%\n10,52 %\n20,58.5%\n30,60.0%\n",
    "percentages with decimal commas": "Step;eval acc\n0;41%\n10;52\u00a0%\n20;58,5 %\n30;60,0%\n",
}


@pytest.mark.parametrize("header", ["", "# step acc\n"])
def test_a_row_of_numbers_is_not_taken_for_the_names_of_columns(tmp_path, header):
    (tmp_path / "log.csv").write_text(header + "0,3.25\n1,2.5\n2,2.0\n3,1.75\n")
    columns = {"t": "0", "solver": "3.25"}
    with pytest.raises(TrajectoryError, match="the first line has to name the columns, but has"):
        read_trajectory(tmp_path / "log.csv", columns)


def test_columns_without_names_are_numbered_as_by_pandas(tmp_path):
    (tmp_path / "log.csv").write_text(",0,1\n0,0,3.25\n1,10,2.5\n2,20,2.0\n")
    run = read_trajectory(tmp_path / "log.csv", {"t": "0", "solver": "1"})
    assert run.solver.tolist() == [3.25, 2.5, 2.0]


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


def test_percentages_in_powers_of_ten_are_refused_as_they_are_written(tmp_path):
    (tmp_path / "run.csv").write_text("t,solver\n0,30%\n1,4.5e1%\n2,56%\n")
    with pytest.raises(TrajectoryError, match=r":3: column 'solver': must be .* got '4.5e1%'"):
        read_trajectory(tmp_path / "run.csv")


def test_cells_without_a_value_do_not_keep_percentages_from_being_read(tmp_path):
    (tmp_path / "run.csv").write_text("step,acc\n0,30%\n1,-\n2,\n3,45%\n4,50%\n")
    run = read_trajectory(tmp_path / "run.csv", {"solver": "acc"})
    assert run.solver.tolist() == [0.3, 0.45, 0.5]


def written(folder, text):
    path = folder / "run.csv"
    path.write_text(text, newline="")
    return path


def test_lines_are_counted_from_the_top_of_the_file(tmp_path):
    table = read_table(written(tmp_path, "# a remark\n\nt,solver\n0,1\n"))
    assert (table.line, table.names, table.rows) == (3, ["t", "solver"], [(4, ["0", "1"])])
    with pytest.raises(TrajectoryError, match=r"run.csv:3: not valid CSV"):
        read_table(written(tmp_path, '# a remark\nt,solver\n"0"1,1\n'))


def test_lines_are_counted_whatever_ends_them(tmp_path):
    for end in ("\n", "\r", "\r\n"):
        text = end.join(["", "# a remark", "", "t;solver", "0;1", "1;x", "2;3"])
        with pytest.raises(TrajectoryError, match=r"run.csv:6: column 'solver': .* got 'x'"):
            read_trajectory(written(tmp_path, text))


def test_text_with_a_comma_is_no_number(tmp_path):
    table = read_table(written(tmp_path, "name;x\na,b;1,5\n1,2,3;1,5e-2\n"))
    assert [cells for _, cells in table.rows] == [["a,b", "1.5"], ["1,2,3", "1.5e-2"]]


def test_a_decimal_comma_among_thousands_is_no_number(tmp_path):
    path = written(tmp_path, "t;solver\n0;1.234,5\n1;1.100,5\n2;1000\n")
    with pytest.raises(TrajectoryError, match=r":2: column 'solver': .*; write it with a decimal"):
        read_trajectory(path)


@pytest.mark.parametrize(
    "text",
    [
        't,solver\n"1,000",3\n"2,000",2\n"3,000",1\n',
        't,solver\n0,"30,5%"\n1,"40,1%"\n2,45 %\n',
    ],
)
@pytest.mark.parametrize("columns", [None, {"t": "t", "solver": "solver"}])
def test_a_comma_in_a_table_separated_by_commas_is_refused(tmp_path, text, columns):
    with pytest.raises(TrajectoryError, match=r":2: column .*; write it with a decimal point"):
        read_trajectory(written(tmp_path, text), columns)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("t\tsolver\n1,000\t0.5\n2,000\t0.4\n3,000\t0.35\n", "2: column 't': '1,000'"),
        ("t;solver\n1.000;3,5\n2.000;2,25\n3.000;1,5\n", "2: column 't': '1.000'"),
        ("t\tsolver\n500\t3\n1,000\t52.5%\n1,500\t60%\n", "3: column 't': '1,000'"),
        # No other number has a mark.
        ("t;solver\n1.000;45%\n2.000;53%\n3.000;58%\n", "2: column 't': '1.000'"),
        ("t\tsolver\n1,000\t45%\n2,000\t53%\n3,000\t58%\n", "2: column 't': '1,000'"),
        ("t\tsolver\n500\t45%\n1,000\t53%\n1,500\t58%\n", "3: column 't': '1,000'"),
        ("t;solver\n0;1.600\n1;1.288\n2;887\n3;761\n", "2: column 'solver': '1.600'"),
        ("t;solver\n0;-1,600\n1;-1,288\n2;-887\n", "2: column 'solver': '-1,600'"),
        ("t\tsolver\n0\t4,003\n1\t3,223\n2\t2,647\n", "2: column 'solver': '4,003'"),
    ],
)
def test_marks_that_may_separate_thousands_are_refused_where_they_are_read(tmp_path, text, place):
    path = written(tmp_path, text)
    for columns in (None, {"t": "t", "solver": "solver"}):
        with pytest.raises(TrajectoryError, match=f"run.csv:{place} may be .*; write thousands"):
            read_trajectory(path, columns)
    # Columns that nobody asks for are not in the way.
    lines = text.splitlines()
    delimiter = "\t" if "\t" in text else ";"
    others = [f"{delimiter}x{delimiter}y", *(f"{delimiter}{n}{delimiter}7" for n in range(4))]
    path = written(tmp_path, "\n".join(map("".join, zip(lines, others, strict=False))))
    assert read_trajectory(path, {"t": "x", "solver": "y"}).solver.tolist()[:3] == [7, 7, 7]


def test_thousands_in_a_long_table_are_refused(tmp_path):
    rows = "".join(f"{t};nll;{value}\n" for t, value in enumerate(("1.600", "1.288", "887")))
    path = written(tmp_path, "step;metric;value\n" + rows)
    with pytest.raises(TrajectoryError, match=r":2: column 'value': '1.600' may be a decimal"):
        read_trajectory(path, {"solver": "nll"})


@pytest.mark.parametrize(
    ("rows", "solver"),
    [
        # A program that writes every digit, and one that writes three.
        (["0;1.234", "1;1.125", "2;2.375"], [1.234, 1.125, 2.375]),
        (["0\t4.003", "1\t3.223", "2\t2.600"], [4.003, 3.223, 2.6]),
        (["0.000;4.000", "1.000;3.000", "2.000;2.500"], [4, 3, 2.5]),
        (["0;1.234", "1;2", "2;0.987"], [1.234, 2, 0.987]),
        # A spreadsheet with decimal commas.
        (["0;4,003", "1;3,223", "2;2,647"], [4.003, 3.223, 2.647]),
        (["0;1,000", "1;0,500", "2;0,250"], [1, 0.5, 0.25]),
        (["0\t120,000", "1\t110", "2\t99,5"], [120, 110, 99.5]),
        (["0;45,125 %", "1;50,500 %", "2;55,000 %"], [0.45125, 0.505, 0.55]),
    ],
)
def test_three_decimals_alone_are_no_thousands(tmp_path, rows, solver):
    header = "t\tsolver" if "\t" in rows[0] else "t;solver"
    run = read_trajectory(written(tmp_path, "\n".join([header, *rows])))
    assert run.ts.tolist() == [0, 1, 2]
    assert run.solver.tolist() == solver


def test_points_in_another_column_leave_decimal_commas_as_they_are(tmp_path):
    path = written(tmp_path, "t;solver;version\n0;3,5;1.0\n1;2,5;1.0\n2;2,125;12.30\n")
    assert read_trajectory(path).solver.tolist() == [3.5, 2.5, 2.125]


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
