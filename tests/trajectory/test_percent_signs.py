"""Standard errors beside a series with percent signs are in its unit, or refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from jaxgap.trajectory import TrajectoryError
from jaxgap.trajectory.percent_signs import errors_beside_percent
from jaxgap.trajectory.read import read_trajectory
from jaxgap.trajectory.reading_notes import reading_notes

OWN = {name: name for name in ("t", "solver", "solver_se", "verifier", "verifier_se")}
# Named as the file names them, with jaxgap's own reader and with `columns`.
WAYS = [None, OWN]


def write(folder, **columns):
    path = folder / "run.csv"
    rows = [",".join(cells) for cells in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *rows, ""]))
    return path


def percent(*values):
    return [f"{value}%" for value in values]


def numbers(*values):
    return [f"{value}" for value in values]


def read(path, names, columns):
    wanted = names and {name: name for name in columns}
    return read_trajectory(path, wanted, kind="accuracy")


@pytest.mark.parametrize("names", WAYS)
def test_errors_in_points_beside_percent_signs_are_divided_and_said(tmp_path, names):
    columns = {"t": numbers(0, 1, 2), "solver": percent(41, 50, 58)}
    columns |= {"solver_se": numbers(1.2, 1.5, 0.4), "verifier": percent(51, 60, 68)}
    columns |= {"verifier_se": percent(1, 2, 3)}
    run = read(write(tmp_path, **columns), names, columns)
    assert run.solver_se is not None
    assert run.verifier_se is not None
    np.testing.assert_allclose(run.solver_se, [0.012, 0.015, 0.004])
    np.testing.assert_allclose(run.verifier_se, [0.01, 0.02, 0.03])
    said = [note for note in reading_notes(run) if "were divided by 100" in note]
    assert said == [
        "'solver_se' has no percent signs and 'solver' has them: "
        "the errors, too large for fractions, were divided by 100"
    ]


@pytest.mark.parametrize("names", WAYS)
@pytest.mark.parametrize("errors", [(0.012, 0.015, 0.01), (0.3, 0.4, 0.5)])
def test_errors_that_may_be_points_or_fractions_are_refused(tmp_path, names, errors):
    columns = {"t": numbers(0, 1, 2), "solver": percent(41, 50, 58), "solver_se": numbers(*errors)}
    message = r"run\.csv: 'solver_se' has no percent signs and 'solver' has them: are the errors"
    with pytest.raises(TrajectoryError, match=message):
        read(write(tmp_path, **columns), names, columns)


@pytest.mark.parametrize("names", WAYS)
def test_errors_of_zero_need_no_unit(tmp_path, names):
    columns = {"t": numbers(0, 1, 2), "solver": percent(41, 50, 58), "solver_se": numbers(0, 0, 0)}
    run = read(write(tmp_path, **columns), names, columns)
    assert run.solver_se is not None
    assert run.solver_se.tolist() == [0, 0, 0]


def test_a_column_with_the_signs_is_not_divided_with_one_without(tmp_path):
    columns = {"t": numbers(0, 1, 2), "solver": percent(61, 62, 63)}
    columns |= {"verifier": numbers(52, 60, 64), "verifier_se": percent(1, 2, 1)}
    run = read(write(tmp_path, **columns), OWN, columns)
    assert run.verifier is not None
    assert run.verifier_se is not None
    assert run.solver.tolist() == [0.61, 0.62, 0.63]
    assert run.verifier.tolist() == [0.52, 0.6, 0.64]
    np.testing.assert_allclose(run.verifier_se, [0.01, 0.02, 0.01])


def test_names_of_the_file_are_used_in_messages(tmp_path):
    columns = {"step": numbers(0, 1, 2), "acc": percent(41, 50, 58), "err": numbers(0.1, 0.1, 0.2)}
    with pytest.raises(TrajectoryError, match="'err' has no percent signs and 'acc' has them"):
        read_trajectory(write(tmp_path, **columns), {"solver": "acc", "solver_se": "err"})


@given(st.lists(st.floats(0.005, 0.5), min_size=3, max_size=9))
def test_no_possible_error_of_a_mean_is_ever_divided(errors):
    table = {"solver": np.full(len(errors), 0.5), "solver_se": np.array(errors)}
    with pytest.raises(TrajectoryError, match="points or fractions"):
        errors_beside_percent(table, {"solver"}, OWN, "run.csv")
    assert errors_beside_percent(table, {"solver", "solver_se"}, OWN, "run.csv") == ({}, [])
    assert errors_beside_percent(table, set(), OWN, "run.csv") == ({}, [])
