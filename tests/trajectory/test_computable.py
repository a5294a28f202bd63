"""Numbers near the ends of floating point are refused by the name of their column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.computable import MAX_ROWS, check_computable
from jaxgap.trajectory.record import TrajectoryError

TS = np.arange(4.0)
VALUES = np.array([4.0, 0.0, 2.0, 1.0])
COLUMNS = ("solver", "verifier", "solver_se", "verifier_se")


def run(ts=TS, **columns):
    errors = {"solver_se": np.full(4, 0.1), "verifier_se": np.full(4, 0.1)}
    return Trajectory(ts, **({"solver": VALUES, "verifier": VALUES} | errors | columns))


@given(st.sampled_from(COLUMNS), st.floats(-49, 49))
def test_what_is_measured_can_be_computed_with(name, exponent):
    check_computable(run(**{name: 10.0**exponent * np.array([0.5, 0.9, 0.7, 0.6])}))
    check_computable(run(10.0**exponent * TS))


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("factor", "words"), [(1e-51, "magnitude of 9e-52"), (2e50, "1.8e\\+50")])
def test_a_column_beyond_the_bounds_is_named(name, factor, words):
    with pytest.raises(TrajectoryError, match=f"'{name}'.*{words}.*another unit"):
        check_computable(run(**{name: factor * np.array([0.5, 0.9, 0.7, 0.6])}))


def test_one_error_that_is_too_small_is_enough():
    with pytest.raises(TrajectoryError, match=r"'solver_se'.*as small as 1e-60"):
        check_computable(run(solver_se=np.array([0.1, 1e-60, 0.1, 0.1])))
    check_computable(run(solver=np.array([1.0, 1e-60, 2.0, 0.5])))


@pytest.mark.parametrize("ts", [TS * 1e-60, (TS - 1.5) * 1e308])
def test_a_span_of_times_beyond_the_bounds_is_refused(ts):
    message = r"times span .*: use another unit of time"
    with np.errstate(all="raise"), pytest.raises(TrajectoryError, match=message):
        check_computable(run(ts))


def test_a_log_that_is_too_long_is_refused():
    ts = np.arange(MAX_ROWS + 1.0)
    check_computable(Trajectory(ts[1:], ts[1:]))
    with pytest.raises(TrajectoryError, match="50001 rows; at most 50000 can be fitted"):
        check_computable(Trajectory(ts, ts))
