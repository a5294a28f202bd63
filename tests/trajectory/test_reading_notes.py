"""What is said of a run that was read before what follows from it."""

import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.trajectory import Trajectory, write_csv
from jaxgap.trajectory.read import read_trajectory
from jaxgap.trajectory.reading_notes import accuracy_like, reading_notes

RISING = 0.8 - 0.5 * np.exp(-0.3 * np.arange(12.0))


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_rising_values_in_the_range_of_accuracies_are_asked_about(scale):
    (note,) = accuracy_like(Trajectory(np.arange(12.0), scale * RISING))
    assert "if these are accuracies, give kind='accuracy'" in note
    assert ("divide them by 100" in note) == (scale == 100)


@pytest.mark.parametrize(
    "run",
    [
        Trajectory(np.arange(12.0), RISING, kind="accuracy"),
        Trajectory(np.arange(12.0), 1 - RISING),
        Trajectory(np.arange(12.0), np.full(12, 0.5)),
        Trajectory(np.arange(12.0), 1000 * RISING),
        Trajectory(np.arange(12.0), np.append(RISING[:-1], 1.2)),
    ],
    ids=["said", "falling", "constant", "no accuracies", "one above 1"],
)
def test_others_are_not(run):
    assert accuracy_like(run) == []


UP_AND_DOWN = [0.03, 0.34, 0.3, 0.25, 0.23]
FALLING = [0.9, 0.6, 0.4, 0.3, 0.25]


def write_run(path, solver, verifier=None):
    """A file of jaxgap's own columns, without a sidecar."""
    rows = zip(solver, verifier or [""] * len(solver), strict=True)
    lines = [f"{t},{u},{v}" for t, (u, v) in enumerate(rows)]
    path.write_text("\n".join([f"t,solver,{'verifier' if verifier else ''}", *lines]))
    return path


@pytest.mark.parametrize("columns", [None, {"t": "t", "solver": "solver"}])
@pytest.mark.parametrize("solver", [UP_AND_DOWN, FALLING, [1.0] * 5])
def test_the_kind_that_was_assumed_is_said_where_it_may_be_either(tmp_path, solver, columns):
    path = write_run(tmp_path / "run.csv", solver)
    (note,) = reading_notes(read_trajectory(path, columns))
    assert "no kind is given" in note
    assert "read as uncertainties in nats" in note
    assert "if they are accuracies, give kind='accuracy'" in note
    for kind in ("uncertainty", "accuracy"):
        assert reading_notes(read_trajectory(path, columns, kind=kind)) == []


def test_the_kind_is_not_asked_about_where_the_file_or_its_values_say_it(tmp_path):
    write_csv(Trajectory(np.arange(5), FALLING), tmp_path / "own.csv")
    paths = [
        tmp_path / "own.csv",
        write_run(tmp_path / "two.csv", FALLING, [0.8, 0.5, 0.3, 0.2, 0.2]),
        write_run(tmp_path / "nats.csv", [3 * value for value in FALLING]),
    ]
    assert [reading_notes(read_trajectory(path)) for path in paths] == [[], [], []]


def test_rising_values_are_asked_about_once(tmp_path):
    (note,) = reading_notes(read_trajectory(write_run(tmp_path / "run.csv", list(RISING))))
    assert "the solver rises" in note


@pytest.mark.parametrize("columns", [None, {"t": "t", "solver": "solver"}])
def test_rising_values_are_not_asked_about_where_the_file_or_its_reader_says_their_kind(
    tmp_path, columns
):
    """The uncertainty of a run that gets worse rises."""
    plain = write_run(tmp_path / "plain.csv", list(RISING))
    write_csv(Trajectory(np.arange(12.0), RISING), tmp_path / "own.csv")
    assert reading_notes(read_trajectory(tmp_path / "own.csv")) == []
    assert reading_notes(read_trajectory(plain, columns, kind="uncertainty")) == []


@pytest.mark.parametrize("command", [["fit"], ["forecast", "--horizon", "15"], ["compare"]])
def test_every_command_that_reads_a_run_says_so(tmp_path, capsys, command):
    rows = "".join(f"{t},{value}\n" for t, value in enumerate(RISING))
    (tmp_path / "run.csv").write_text("t,solver\n" + rows)
    run_command([command[0], str(tmp_path / "run.csv"), *command[1:]])
    said = " ".join(capsys.readouterr().out.split())
    assert "give --kind accuracy" in said
    assert ("(uncertainties in nats)" in said) == (command[0] == "fit")


ROWS = "0,3,0.1\n1,2,0.1\n2,1.5,0.1\n"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("verfier", "is 'verifier' meant?"),
        ("slover_se", "is 'solver_se' meant?"),
        ("solver-se", "is 'solver_se' meant?"),
        *(
            (name, "only if the column is called 'solver_se'")
            for name in (
                "solver_stderr",
                "solver_std",
                "Solver_SD",
                "solver_sem",
                "solver error",
                "solver_std_err",
                "Solver Standard Deviation",
                "solver.errors",
            )
        ),
        ("verifier_std", "only if the column is called 'verifier_se'"),
    ],
)
def test_an_own_file_is_asked_about_misspelt_and_foreign_columns(tmp_path, name, asked):
    (tmp_path / "run.csv").write_text(f"t,solver,{name}\n{ROWS}")
    run = read_trajectory(tmp_path / "run.csv")
    (note,) = reading_notes(run)
    assert note.startswith(f"'{name}' is read as an extra measurement")
    assert note.endswith(asked)
    # The file keeps them all the same, and reading it twice repeats nothing.
    write_csv(run, tmp_path / "again.csv")
    assert read_trajectory(tmp_path / "again.csv") == run


def test_log_likelihoods_that_were_not_negated_are_asked_about():
    falling = -np.exp(-np.arange(5.0))
    (note,) = reading_notes(Trajectory(np.arange(5.0), falling, 0.5 * falling))
    assert note.endswith("if these are log-likelihoods, negate them")


@pytest.mark.parametrize(
    ("solver", "where"),
    [
        ([3, 2, 1.5, -0.1], "t=3"),
        ([3, -2, 1.5, -0.1, -0.2], "t=1 and 2 other times"),
        ([3, 2, 0], ""),
    ],
)
def test_single_negative_uncertainties_are_named_by_their_time(tmp_path, solver, where):
    said = reading_notes(read_trajectory(write_run(tmp_path / "run.csv", solver)))
    sentence = f"'solver' is negative at {where}, which no uncertainty in nats can be"
    assert said == ([sentence] if where else [])


@pytest.mark.parametrize(
    "name",
    [
        "solver_accuracy",
        "solver_length_se",
        "solver_per_token",
        "sd",
        "solver_ce",
        "solver_mse",
        "solver_size",
        "solver_step",
    ],
)
def test_other_measurements_are_not_asked_about(name):
    assert reading_notes(Trajectory([0, 1, 2], [3, 2, 1.5], extra={name: [0.1, 0.1, 0.1]})) == []


def test_errors_of_another_kind_beside_standard_errors_are_not_asked_about():
    extra = {"solver_std": [0.4, 0.4, 0.4]}
    run = Trajectory([0, 1, 2], [3, 2, 1.5], solver_se=[0.1, 0.1, 0.1], extra=extra)
    assert reading_notes(run) == []


@pytest.mark.filterwarnings("error")
def test_numbers_without_a_correlation_are_no_accuracies():
    assert not accuracy_like(Trajectory([0, 1e200, 2e200], [0.2, 0.3, 0.5]))
