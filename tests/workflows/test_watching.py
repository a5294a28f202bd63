"""Watching a run from outside, and ending it by forecast."""

import contextlib
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.cli.run_status import print_status
from jaxgap.cli.terminal import Terminal
from jaxgap.errors import InputError
from jaxgap.improve import (
    EndRun,
    ImproveConfig,
    MeanWithError,
    RoundMetrics,
    RunFolder,
    SplitMetrics,
    Watcher,
)
from jaxgap.improve.runs.run_lock import locked
from jaxgap.workflows.stopping import stop_when_not_worth
from jaxgap.workflows.watching import read_status

KEY = jax.random.key(0)


def measured(round_index, solver):
    """A checkpoint of a run whose solver's uncertainty is given, and the verifier's half of it."""
    rng = np.random.default_rng(round_index)
    names = [field.name for field in dataclasses.fields(SplitMetrics)]
    estimates = {name: MeanWithError(0.5, 0.01) for name in names}
    noise = 0.003 * rng.normal(size=2)
    estimates |= {
        "solver": MeanWithError(solver + noise[0], 0.003),
        "verifier": MeanWithError(solver / 2 + noise[1], 0.003),
    }
    split = SplitMetrics(**estimates)
    return RoundMetrics(round_index, split, split)


def write_run(folder, curve, num_rounds):
    folder.mkdir()
    run = RunFolder.create(folder, ImproveConfig(num_rounds=num_rounds))
    for round_index, solver in enumerate(curve):
        run.add(measured(round_index, solver))
    return run


@pytest.fixture(scope="module")
def half_way(tmp_path_factory):
    """A run of twelve rounds of which nine checkpoints are there."""
    folder = tmp_path_factory.mktemp("runs") / "half_way"
    write_run(folder, 0.5 + np.exp(-0.5 * np.arange(9.0)), 12)
    return folder


def test_a_record_comes_back_from_its_row():
    metrics = measured(3, 1.25)
    assert RoundMetrics.from_row(json.loads(json.dumps(metrics.row()))) == metrics


@pytest.fixture(scope="module")
def seen(half_way):
    """Its status, for which nothing of it was written."""
    before = {path: path.read_bytes() for path in half_way.iterdir()}
    status = read_status(half_way, key=KEY)
    assert {path: path.read_bytes() for path in half_way.iterdir()} == before
    return status


def test_it_sees_how_far_a_run_is_and_where_it_goes(seen):
    status = seen
    assert (status.num_done, status.num_asked, status.at_work) == (9, 13, False)
    low, high = status.result.limits["solver"].interval
    assert low < 0.5 < high
    low, high = status.outlook.solver.interval
    assert status.outlook.horizon == 12
    assert low < 0.5 + np.exp(-6.0) < high


def test_it_sees_that_a_process_is_at_work(tmp_path):
    run = write_run(tmp_path / "run", [1.5, 1.2], 12).folder
    assert not read_status(run, key=KEY).at_work
    with locked(run):
        assert read_status(run, key=KEY).at_work


def test_before_the_third_checkpoint_there_is_nothing_to_fit(tmp_path):
    write_run(tmp_path / "run", [1.5, 1.2], 12)
    status = read_status(tmp_path / "run", key=KEY)
    assert (status.num_done, status.result, status.outlook) == (2, None, None)
    with pytest.raises(InputError, match="contains no run to watch"):
        read_status(tmp_path, key=KEY)


def test_measurements_that_are_not_text_are_refused_in_one_line(tmp_path):
    run = write_run(tmp_path / "run", [1.5, 1.2], 12).folder
    (run / "metrics.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match=r"metrics\.jsonl:1: not a text file in UTF-8"):
        read_status(run, key=KEY)
    (run / "metrics.jsonl").write_bytes(b"")
    assert read_status(run, key=KEY).num_done == 0


@pytest.mark.parametrize("cost", ["-1", "nan", "inf"])
def test_a_round_cannot_have_to_gain_so_much(half_way, cost, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["watch", str(half_way), "--once", "--cost", cost])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "--cost must be a gain in nats, 0 or more, got" in line


def test_a_level_that_is_none_is_refused_before_there_is_anything_to_fit(tmp_path):
    write_run(tmp_path / "run", [2.0, 1.5], 12)
    assert read_status(tmp_path / "run", key=KEY).result is None
    with pytest.raises(InputError, match=r"level must lie between 0 and 1, got 90"):
        read_status(tmp_path / "run", key=KEY, level=90)


def test_the_command_says_it_in_words(half_way, capsys):
    run_command(["watch", str(half_way), "--once", "--cost", "0.2"])
    said = " ".join(capsys.readouterr().out.split())
    assert "9 of 13 checkpoints, and no process is working on it" in said
    assert "The solver's limit is" in said
    assert "Under the linear law: The solver's limit is" in said
    assert "Forecast over several shapes of curve: U_s" in said
    assert "stop: with probability" in said


def test_a_run_that_was_ended_early_was_not_interrupted(half_way, tmp_path, capsys):
    folder = shutil.copytree(half_way, tmp_path / "run")
    run = RunFolder.reopen(folder)
    run.rewind([measured(i, 1.0).row() for i in range(9)], run.config)
    run.note("ended early: another round is not worthwhile: enough")
    status = read_status(folder, key=KEY)
    assert status.ended == "another round is not worthwhile: enough"
    said = said_of(status, capsys)
    assert "9 of 13 checkpoints; the run ended early: another round is not worthwhile" in said
    assert "no process" not in said
    assert "cannot tell" not in said
    assert "Forecast over several shapes" in said
    said = said_of(read_status(folder, key=KEY, cost=0.2), capsys)
    assert "stop: with probability" in said
    with locked(folder):
        assert read_status(folder, key=KEY).ended is None
    # Resumed without --stop-when, and interrupted.
    run.add(measured(9, 1.0))
    status = read_status(folder, key=KEY)
    assert (status.num_done, status.ended) == (10, None)


def test_a_run_that_was_ended_before_it_could_be_fitted_is_called_so(tmp_path):
    run = write_run(tmp_path / "run", [1.5, 1.2], 12)
    run.note("ended early: by its user")
    assert read_status(run.folder, key=KEY).ended == "by its user"


def said_of(status, capsys):
    print_status(Terminal(), status)
    return " ".join(capsys.readouterr().out.split())


def test_a_verdict_against_the_law_stands_beside_its_limit_and_doubts_are_reported_once(
    tmp_path, capsys
):
    """A solver that gains, and then loses most of it again."""
    curve = np.concatenate([np.linspace(2.0, 0.8, 8), np.linspace(0.9, 1.7, 8)])
    write_run(tmp_path / "run", curve, 20)
    status = read_status(tmp_path / "run", key=KEY)
    said = said_of(status, capsys)
    assert "The solver-verifier law does not describe this run: the solver worsens" in said
    warnings = (*status.result.warnings, *status.outlook.warnings)
    assert len(warnings) > 1
    assert all(said.count(warning[1:]) == 1 for warning in warnings)
    assert "Warning: the residuals exceed the standard errors given" in said


def test_a_fit_that_failed_gives_no_limit_to_a_watcher(seen, capsys):
    failed = dataclasses.replace(seen.result, converged=False, stopped="failed: no start")
    said = said_of(seen._replace(result=failed), capsys)
    assert "The linear law could not be fitted: failed: no start." in said
    assert "The solver's limit is" not in said
    assert "Forecast over several shapes of curve: U_s" in said


@pytest.mark.slow
def test_a_limit_that_the_run_has_passed_is_not_reported_as_one(tmp_path, capsys):
    curve = 0.5 + 1.5 * (1 + 2 * np.arange(30.0)) ** -0.35
    write_run(tmp_path / "run", curve, 40)
    status = read_status(tmp_path / "run", key=KEY)
    refuted = status.result.limits["solver"]
    assert refuted.identifiability == "refuted"
    said = said_of(status, capsys)
    assert said.count(refuted.reason) == 1
    assert "does not describe this run" in said
    assert "Under the linear law" not in said


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e10"])
def test_so_long_no_one_waits(half_way, seconds, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["watch", str(half_way), "--every", seconds])
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "--every must be a number of seconds above 0 and at most 86400, a day, got" in line


def test_a_run_is_ended_when_the_next_round_is_not_worth_it(half_way, tmp_path):
    last = measured(8, 0.52)
    reported = []
    watcher = Watcher(on_round=reported.append)
    with pytest.raises(EndRun, match=r"another round is not worthwhile: with probability \d+%"):
        stop_when_not_worth(watcher, half_way, 0.2).on_round(last)
    assert reported == [last]
    write_run(tmp_path / "young", 3.0 - 0.25 * np.arange(9.0), 12)
    stop_when_not_worth(watcher, tmp_path / "young", 0.1).on_round(last)


def collapsed(folder, *, solver, verifier):
    """A run whose last two checkpoints leave nothing of these uncertainties."""
    folder.mkdir()
    run = RunFolder.create(folder, ImproveConfig(num_rounds=12))
    left = {"solver": 3 * 0.6 ** np.arange(8.0), "verifier": 1.5 * 0.6 ** np.arange(8.0)}
    left["solver"][6:] *= solver
    left["verifier"][6:] *= verifier
    for round_index in range(8):
        last = measured(round_index, 1.0)
        values = {name: MeanWithError(left[name][round_index], 0.003) for name in left}
        split = dataclasses.replace(last.train, **values)
        run.add(RoundMetrics(round_index, split, split))
    return folder, last


def test_a_run_whose_solver_has_no_uncertainty_left_is_ended(tmp_path, capsys):
    folder, last = collapsed(tmp_path / "run", solver=0.0, verifier=0.0)
    with pytest.raises(EndRun, match="the solver has no uncertainty left to lower"):
        stop_when_not_worth(Watcher(), folder, 0.0).on_round(last)
    said = said_of(read_status(folder, key=KEY), capsys)
    assert "No forecast: that needs uncertainties above zero" in said


def test_a_verifier_without_uncertainty_does_not_decide_whether_a_run_ends(tmp_path, capsys):
    folder, last = collapsed(tmp_path / "run", solver=1.0, verifier=0.0)
    stop_when_not_worth(Watcher(), folder, 0.0).on_round(last)
    with pytest.raises(EndRun, match=r"with probability \d+%"):
        stop_when_not_worth(Watcher(), folder, 1.0).on_round(last)
    said = said_of(read_status(folder, key=KEY), capsys)
    assert "Warning: the verifier and the gap are not forecast" in said


def test_a_run_that_was_ended_goes_no_further_when_it_is_resumed(half_way):
    watcher = stop_when_not_worth(Watcher(), half_way, 0.2)
    with pytest.raises(EndRun, match="another round is not worthwhile"):
        watcher.on_start(ImproveConfig(), 9)
    watcher.on_start(ImproveConfig(), 0)


def test_a_run_that_is_complete_is_not_ended_early(half_way):
    watcher = stop_when_not_worth(Watcher(), half_way, 0.2)
    watcher.on_start(ImproveConfig(num_rounds=8), 9)
    watcher.on_round(measured(8, 0.52))


def test_no_run_is_ended_on_fewer_than_five_checkpoints(half_way, tmp_path):
    folder = shutil.copytree(half_way, tmp_path / "run")
    (folder / "trajectory.csv").unlink()
    stop_when_not_worth(Watcher(), folder, 100.0).on_round(measured(3, 0.5))
    with pytest.raises(InputError, match="cost must be a gain in nats, 0 or more, got -1"):
        stop_when_not_worth(Watcher(), folder, -1.0)


def test_a_run_that_ends_early_is_not_left_without_a_word(tmp_path, capsys, monkeypatch):
    """The command ends with the process of the run, whether or not that has finished."""
    folder = tmp_path / "run"
    write_run(folder, 0.5 + np.exp(-0.5 * np.arange(2.0)), 12)
    with contextlib.ExitStack() as process:
        process.enter_context(locked(folder))
        monkeypatch.setattr("time.sleep", lambda seconds: process.close())
        run_command(["watch", str(folder)])
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.strip() == "2 of 13 checkpoints"
    assert last.strip() == "2 of 13 checkpoints, and no process is working on it"
