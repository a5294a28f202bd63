"""Standard errors that are given, of which a weight is made."""

from jaxgap.fitting import GivenScale
from jaxgap.trajectory import Trajectory


def test_a_standard_error_of_zero_is_raised_to_the_smallest_other_one():
    run = Trajectory([0, 1, 2], [3.0, 2.0, 1.5], solver_se=[0.0, 0.1, 0.3])
    rows, (remark,) = GivenScale().standard_errors(run)
    assert rows[:, 0].tolist() == [0.1, 0.1, 0.3]
    assert "1 standard errors of the solver are zero: raised to the smallest other one" in remark
