"""The options that say how to read a file."""

import re

import pytest

from jaxgap.cli.options import RunFile
from jaxgap.errors import InputError
from jaxgap.trajectory import TrajectoryError

HEADER = '"step","exact_match,strict-match","exact_match_stderr,strict-match"'


@pytest.mark.parametrize(
    ("columns", "has_errors"),
    [
        ("solver=exact_match,strict-match", False),
        ("t=step, solver=exact_match,strict-match", False),
        ("solver=exact_match,strict-match,t=step", False),
        ("solver=exact_match,strict-match,solver_se=exact_match_stderr,strict-match,t=step", True),
    ],
)
def test_the_name_of_a_column_may_contain_commas(tmp_path, columns, has_errors):
    """As those of lm-eval do, which name a metric and its filter."""
    (tmp_path / "log.csv").write_text(HEADER + "\n0,0.4,0.01\n1,0.5,0.01\n2,0.55,0.01\n")
    run = RunFile(kind="accuracy", columns=columns).read(tmp_path / "log.csv")
    assert run.solver.tolist() == [0.4, 0.5, 0.55]
    assert (run.solver_se is not None) == has_errors


@pytest.mark.parametrize("columns", ["solver=a,solver=b", "t=a, solver=b,t =c"])
def test_a_column_that_is_given_twice_is_refused(tmp_path, columns):
    (tmp_path / "log.csv").write_text("a,b,c\n0,1,2\n1,1,2\n2,1,2\n")
    with pytest.raises(InputError, match=rf"--columns {columns}: '(solver|t)' is given twice"):
        RunFile(columns=columns).read(tmp_path / "log.csv")


@pytest.mark.parametrize("columns", ["", "solver", "solver=", "=a", "t=a,=b", "t=,solver=b"])
def test_columns_of_another_form_are_refused(tmp_path, columns):
    with pytest.raises(InputError, match="must look like t=step,solver=eval/nll"):
        RunFile(columns=columns).read(tmp_path / "log.csv")


def test_a_column_that_cannot_be_computed_with_is_named_as_in_the_file(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("t,solver\n0,3\n1e200,2\n1e201,1\n")
    message = rf"^{re.escape(str(path))}: column 't': times span 1e\+201: use another unit of time$"
    with pytest.raises(TrajectoryError, match=message):
        RunFile().read(path)
    (unreadable,) = RunFile().read_all([path]).unreadable
    assert re.match(message, unreadable.problem)
