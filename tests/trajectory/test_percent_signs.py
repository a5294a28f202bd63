"""Standard errors beside percentages, with signs or without, are in their unit, or refused."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from jaxgap.trajectory import TrajectoryError
from jaxgap.trajectory.csv_file import read_accuracies
from jaxgap.trajectory.percent_signs import errors_beside_percent, points_to_fractions
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
        errors_beside_percent(table, {"solver"}, OWN, "run.csv", "uncertainty")
    for signed in ({"solver", "solver_se"}, set()):
        assert errors_beside_percent(table, signed, OWN, "run.csv", "uncertainty") == ({}, [])


@pytest.mark.parametrize("names", WAYS)
def test_signed_errors_beside_unsigned_values_are_percentages_of_accuracies_only(tmp_path, names):
    columns = {
        "t": numbers(0, 1, 2),
        "solver": numbers(0.3, 0.5, 0.4),
        "solver_se": percent(1, 2, 3),
    }
    path = write(tmp_path, **columns)
    run = read(path, names, columns)
    assert run.solver_se is not None
    np.testing.assert_allclose(run.solver_se, [0.01, 0.02, 0.03])
    message = (
        r"run\.csv: 'solver_se' has percent signs and 'solver' does not: give the errors in nats"
    )
    for metadata in ({"kind": "uncertainty"}, {}):
        with pytest.raises(TrajectoryError, match=message):
            read_trajectory(path, names and {name: name for name in columns}, **metadata)


@pytest.mark.parametrize("names", WAYS)
def test_errors_in_points_beside_fractions_are_refused(tmp_path, names):
    columns = {
        "t": numbers(0, 1, 2),
        "solver": numbers(0.3, 0.5, 0.4),
        "solver_se": numbers(2, 2, 0),
    }
    with pytest.raises(TrajectoryError, match=r"'solver_se': most .* if they are points, divide"):
        read(write(tmp_path, **columns), names, columns)


UNITS = {"fractions": (1, ""), "points": (100, ""), "signs": (100, "%")}


@pytest.mark.parametrize("values", UNITS)
@pytest.mark.parametrize("errors", UNITS)
def test_accuracies_and_errors_in_any_units_are_read_right_or_refused(tmp_path, values, errors):
    columns = {"t": numbers(0, 1, 2)}
    for name, unit, fractions in (
        ("solver", values, (0.4, 0.5, 0.6)),
        ("solver_se", errors, [0.022] * 3),
    ):
        scale, sign = UNITS[unit]
        columns[name] = [f"{scale * fraction:.3f}{sign}" for fraction in fractions]
    path = write(tmp_path, **columns)
    if errors != "signs" and (values == "fractions") != (errors == "fractions"):
        with pytest.raises(TrajectoryError, match=r"run\.csv: .*fractions|run\.csv: .*points"):
            read_accuracies(path)
        return
    run, scale = read_accuracies(path)
    assert run.solver_se is not None
    np.testing.assert_allclose(run.solver, [0.4, 0.5, 0.6])
    np.testing.assert_allclose(run.solver_se, 0.022)
    assert scale == UNITS[values][0]


@given(st.floats(0.01, 0.99), st.integers(11, 99_000))
def test_bare_percentages_tell_errors_in_points_from_fractions(accuracy, num_items):
    points = np.full(3, 100 * accuracy)
    error = np.sqrt(accuracy * (1 - accuracy) / num_items)
    table = {"solver": points, "solver_se": np.array([100 * error, 100 * error, 0])}
    found = points_to_fractions(table, "solver", set(), OWN, "run.csv")
    np.testing.assert_allclose(found["solver"], accuracy)
    np.testing.assert_allclose(found["solver_se"], [error, error, 0])
    table["solver_se"] = table["solver_se"] / 100
    with pytest.raises(TrajectoryError, match="are they fractions"):
        points_to_fractions(table, "solver", set(), OWN, "run.csv")
    assert list(points_to_fractions(table, "solver", {"solver_se"}, OWN, "run.csv")) == ["solver"]


def test_bare_percentages_with_fractional_errors_are_refused_with_columns(tmp_path):
    columns = {"t": numbers(0, 1, 2), "solver": numbers(41, 50, 58)}
    columns |= {"solver_se": numbers(0.022, 0.02, 0.03)}
    with pytest.raises(TrajectoryError, match="'solver_se' is too small for errors"):
        read(write(tmp_path, **columns), OWN, columns)


def test_errors_of_zero_do_not_make_the_others_too_small_for_points(tmp_path):
    errors = numbers(0, 0, 0, 2)
    path = write(tmp_path, t=numbers(0, 1, 2, 3), acc=numbers(20, 30, 40, 50), se=errors)
    run = read_trajectory(path, {"t": "t", "solver": "acc", "solver_se": "se"}, kind="accuracy")
    assert run.solver_se is not None
    assert run.solver_se.tolist() == [0, 0, 0, 0.02]
