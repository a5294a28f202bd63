"""The record: what it derives, what it keeps unchanged, and what it refuses."""

import datetime

import numpy as np
import pytest

from jaxgap.trajectory import Trajectory, TrajectoryError


def test_gap_is_positive_where_the_verifier_is_more_capable():
    nats = Trajectory([0, 1, 2], [3.0, 2.0, 1.0], [1.0, 1.0, 0.5])
    rates = Trajectory([0, 1, 2], [0.3, 0.4, 0.5], [0.5, 0.5, 0.5], kind="accuracy")
    np.testing.assert_allclose(nats.gap, [2.0, 1.0, 0.5])
    np.testing.assert_allclose(rates.gap, [0.2, 0.1, 0.0])
    assert Trajectory([0, 1, 2], [3.0, 2.0, 1.0]).gap is None


def test_arrays_are_copies_that_cannot_be_changed():
    values = np.array([3.0, 2.0, 1.0])
    run = Trajectory([0, 1, 2], values, extra={"accuracy": values})
    values[0] = 9.0
    assert run.solver[0] == run.extra["accuracy"][0] == 3.0
    with pytest.raises(ValueError, match="read-only"):
        run.solver[0] = 9.0


def test_head_keeps_the_first_rows_of_every_column():
    run = Trajectory(
        range(5),
        np.arange(5.0),
        verifier=np.ones(5),
        solver_se=np.ones(5),
        extra={"a": np.arange(5.0)},
        time_unit="round",
    )
    part = run.head(3)
    assert all(len(values) == 3 for values in part.columns().values())
    assert part.time_unit == "round"
    assert part.extra["a"].tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"solver": [1.0, 2.0]}, "column 'solver': has 2 rows, but 'ts' has 3"),
        ({"solver": [[1.0], [2.0], [3.0]]}, "column 'solver': must have one dimension"),
        ({"solver": ["a", "b", "c"]}, "column 'solver': contains something that is not a number"),
        ({"solver": [1.0, 1j, 1.0]}, "column 'solver': contains something that is not a number"),
        (
            {"ts": np.arange("2020-01", "2020-04", dtype="datetime64[M]")},
            "column 'ts': contains something that is not a number",
        ),
        (
            {"solver": np.ma.masked_array([0.5, 0.4, 0.3], mask=[False, True, False])},
            "column 'solver': has masked values",
        ),
        ({"solver": [1, 10**400, 1]}, "column 'solver': contains a number that is too large"),
        ({"solver": np.array([3, 2, 1]) + 0j}, "column 'solver': contains something that is not"),
        ({"kind": "accuracy", "num_items": True}, "num_items must be a positive whole number"),
        ({"kind": "accuracy", "num_items": 5.0}, "num_items must be a positive whole number"),
        ({"solver": [1.0, np.nan, 1.0]}, "column 'solver', row 2: must be a finite number"),
        ({"ts": [0, 0, 1]}, "column 'ts', row 2: times must increase"),
        ({"extra": {"x": [1.0, np.inf, 0.0]}}, "column 'x', row 2: must be a finite number or"),
        ({"extra": {"t": [1.0, 1.0, 0.0]}}, "an extra measurement cannot be named 't'"),
        ({"extra": {"Verifier": [1.0, 1.0, 0.0]}}, "measurement cannot be named 'Verifier'"),
        ({"extra": {"a\nb": [1.0, 1.0, 0.0]}}, "an extra measurement cannot be named 'a.nb'"),
        ({"kind": "loss"}, "kind must be one of uncertainty, accuracy, got 'loss'"),
        ({"kind": "accuracy", "num_items": 0}, "num_items must be a positive whole number"),
        ({"num_items": 5}, "num_items only goes with kind 'accuracy'"),
        ({"time_unit": " "}, "time_unit must be a word"),
        (
            {"kind": "accuracy", "solver_se": [2.0, 1.7e308, 0.1]},
            "column 'solver_se': most standard errors exceed 0.5, which",
        ),
        ({"verifier_se": [1.0, 1.0, 1.0]}, "column 'verifier_se': given without a verifier"),
    ],
)
def test_what_no_fit_could_use_is_refused(fields, message):
    valid = {"ts": [0, 1, 2], "solver": [0.5, 0.4, 0.3]}
    with pytest.raises(TrajectoryError, match=message):
        Trajectory(**(valid | fields))


class Missing:
    """What pandas has in the place of a value that is missing: no float can be made of it."""


MISSING = Missing()


class Column:
    """A column of pandas as far as NumPy sees it: objects, or floats where they are asked for."""

    def __init__(self, values, as_floats=None):
        self.values = np.array(values, dtype=object)
        self.as_floats = as_floats

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        floats = dtype is not None and self.as_floats is not None
        return np.array(self.as_floats) if floats else np.array(self.values, dtype=dtype)

    def isna(self):
        return np.array([value is MISSING for value in self.values])


def test_dates_with_a_time_zone_are_not_counted_from_1970():
    days = [datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (1, 2, 3)]
    dates = Column(days, as_floats=[day.timestamp() for day in days])
    with pytest.raises(TrajectoryError, match="'ts': contains something that is not a number"):
        Trajectory(dates, [3.0, 2.0, 1.0])


def test_a_missing_value_of_pandas_is_an_empty_cell():
    column = Column([3.0, MISSING, 1.0])
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.0], extra={"x": column})
    np.testing.assert_array_equal(run.extra["x"], [3.0, np.nan, 1.0])
    with pytest.raises(TrajectoryError, match="column 'solver', row 2: must be a finite number"):
        Trajectory([0, 1, 2], column)


def test_test_items_may_be_counted_by_numpy():
    counted = Trajectory([0, 1, 2], [0.3, 0.4, 0.5], kind="accuracy", num_items=np.int64(200))
    assert (type(counted.num_items), counted.num_items) == (int, 200)


def test_a_masked_array_without_a_masked_value_is_an_array():
    run = Trajectory([0, 1, 2], np.ma.masked_array([3.0, 2.0, 1.0], mask=False))
    assert type(run.solver) is np.ndarray
