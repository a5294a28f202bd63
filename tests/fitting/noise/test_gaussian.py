"""Standard errors that are given, of which a weight is made."""

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting import GivenScale, StudentT
from jaxgap.trajectory import Trajectory


def test_a_standard_error_of_zero_is_raised_to_the_smallest_other_one():
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5], solver_se=[0.0, 0.1, 0.3])
    rows, (remark,) = GivenScale().standard_errors(run)
    assert rows[:, 0].tolist() == [0.1, 0.1, 0.3]
    assert "1 standard errors of the solver are zero: raised to the smallest other one" in remark


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"in the columns solver_se and verifier_se: the trajectory has none$"),
        ({"verifier": None}, r"in the columns solver_se: the trajectory has none$"),
        ({"solver_se": [0.1] * 3}, r"are given for the solver only$"),
        ({"solver_se": [0.0] * 3, "verifier_se": [1.0] * 3}, r"errors of the solver are zero$"),
    ],
)
def test_a_given_scale_without_standard_errors_names_their_columns(given, message):
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5], [2.0, 1.5, 1.2]).replace(**given)
    with pytest.raises(InputError, match=message):
        GivenScale().standard_errors(run)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_a_scale_is_above_zero_and_finite(bad):
    with pytest.raises(InputError, match="scale of the solver must be above zero and finite, got"):
        GivenScale(solver=bad).standard_errors(Trajectory([0, 1, 2], [3.0, 2.0, 1.5]))
    with pytest.raises(InputError, match="dof must be above zero and finite, got"):
        StudentT(bad)


def test_a_scale_is_one_number_of_a_series_that_was_measured():
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5])
    with pytest.raises(InputError, match=r"must be one number; .* the trajectory's solver_se$"):
        GivenScale(solver=np.full(3, 0.1)).standard_errors(run)
    with pytest.raises(InputError, match="scale of a verifier is given, and the trajectory has no"):
        GivenScale(solver=0.1, verifier=0.1).standard_errors(run)
