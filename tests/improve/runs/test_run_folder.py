"""A RUN folder is complete, readable at any moment, and the same for the same seed."""

import errno
import fcntl
import json
import os
import shutil
import threading

import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, RunFolder, Watcher, improve_to_folder, resume_folder
from jaxgap.improve.runs.run_lock import is_locked, locked
from jaxgap.trajectory import read_csv

CONFIG = ImproveConfig(
    num_rounds=2,
    num_train_prompts=8,
    num_held_out_prompts=6,
    num_candidates=2,
    batch_size=4,
    prompts_per_call=8,
    learning_rate=1e-3,
)
EQUAL_FILES = ("config.json", "metrics.jsonl", "trajectory.csv", "trajectory.csv.json")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    improve_to_folder(CONFIG, folder)
    return folder


def test_it_holds_all_that_was_asked_and_measured(run_folder):
    assert json.loads((run_folder / "config.json").read_text())["num_candidates"] == 2
    versions = json.loads((run_folder / "versions.json").read_text())
    assert {"python", "jax", "flax", "device", "git_commit", "seed"} <= versions.keys()
    rows = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["t"] for row in rows] == [0.0, 1.0, 2.0]
    timings = [json.loads(line) for line in (run_folder / "timings.jsonl").read_text().splitlines()]
    assert all(row["generate"] > 0 for row in timings)
    trajectory = read_csv(run_folder / "trajectory.csv")
    assert trajectory.time_unit == "round"
    np.testing.assert_array_equal(trajectory.solver, [row["solver"] for row in rows])
    for name in ("solver_accuracy", "verifier_accuracy", "fallback", "solver_accuracy_se"):
        np.testing.assert_array_equal(trajectory.extra[name], [row[name] for row in rows])


def test_the_same_seed_gives_the_same_bytes(run_folder, tmp_path):
    improve_to_folder(CONFIG, tmp_path / "second")
    for name in EQUAL_FILES:
        assert (run_folder / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_an_interruption_leaves_what_was_measured(tmp_path):
    def interrupt(metrics):
        if metrics.round_index == 2:
            raise KeyboardInterrupt("in round 2")

    with pytest.raises(KeyboardInterrupt, match="in round 2"):
        improve_to_folder(CONFIG, tmp_path / "run", Watcher(on_round=interrupt))
    assert read_csv(tmp_path / "run" / "trajectory.csv").num_rows == 3


def test_what_a_kill_left_of_a_file_is_removed_when_the_run_goes_on(run_folder, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    for name in (
        ".config.json.io_scvnw",
        ".metrics.jsonl.a0b1c2d3",
        ".trajectory.csv.json.abcdefgh",
    ):
        (folder / name).touch()
    others = {folder / name for name in (".config.json.mine", ".mine.jsonl.abcdefgh")}
    for path in others:
        path.touch()
    run = RunFolder.reopen(folder)
    assert len(list(folder.glob(".*"))) == 5
    run.rewind([json.loads(line) for line in (folder / "metrics.jsonl").open()], CONFIG)
    assert set(folder.glob(".*")) == others


def test_a_run_that_goes_back_to_two_checkpoints_has_no_table(run_folder, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    run = RunFolder.reopen(folder)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    run.rewind(rows, CONFIG)
    assert (folder / "trajectory.csv").exists()
    run.rewind(rows[:2], CONFIG)
    assert not [path for path in folder.iterdir() if path.name.startswith("trajectory.csv")]


DAMAGES = ("{", "[1]", '{"t": "two"}', '{"t": true}', '{"note": "x"}')


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["timings.jsonl", "notes.jsonl"])
def test_a_damaged_line_of_times_or_notes_is_seen(run_folder, tmp_path, name, damage):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    with (folder / name).open("a") as file:
        file.write(damage + "\n")
    assert RunFolder.reopen(folder).left_out == [f"damaged lines of {name}, left out: 1"]


@pytest.mark.parametrize(
    "damage", [DAMAGES[0], *(pytest.param(d, marks=pytest.mark.slow) for d in DAMAGES[1:])]
)
@pytest.mark.parametrize("name", ["timings.jsonl", "notes.jsonl"])
def test_a_damaged_line_of_times_or_notes_is_left_out_and_said(run_folder, tmp_path, name, damage):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    timings = (folder / "timings.jsonl").read_text()
    (folder / "notes.jsonl").write_text('{"t": null, "note": "mine"}\n')
    with (folder / name).open("a") as file:
        file.write(damage + "\n")
    resume_folder(folder)
    assert (folder / "timings.jsonl").read_text() == timings
    notes = [json.loads(line)["note"] for line in (folder / "notes.jsonl").read_text().splitlines()]
    assert notes == ["mine", f"damaged lines of {name}, left out: 1"]
    for equal in EQUAL_FILES:
        assert (folder / equal).read_bytes() == (run_folder / equal).read_bytes()


def test_times_that_are_no_text_are_begun_anew(run_folder, tmp_path):
    folder = shutil.copytree(run_folder, tmp_path / "run")
    (folder / "timings.jsonl").write_bytes(b"\xff\xfe")
    said = RunFolder.reopen(folder).left_out
    assert [line.endswith("timings.jsonl is begun anew") for line in said] == [True]


def test_a_lock_that_is_a_link_is_not_written(tmp_path):
    (tmp_path / "mine").write_text("all I have")
    (tmp_path / "run.lock").symlink_to(tmp_path / "mine")
    with (
        pytest.raises(InputError, match=r"run\.lock is a link, and is not followed"),
        locked(tmp_path),
    ):
        pass
    with pytest.raises(InputError, match=r"run\.lock is a link"):
        is_locked(tmp_path)
    assert (tmp_path / "mine").read_text() == "all I have"


def test_someone_who_looks_does_not_keep_others_out(tmp_path):
    with locked(tmp_path):
        pass
    looking = os.open(tmp_path / "run.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    closing = threading.Timer(0.02, os.close, [looking])
    closing.start()
    with locked(tmp_path):
        assert is_locked(tmp_path)
    closing.join()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_another_process(monkeypatch, tmp_path, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("jaxgap.improve.runs.run_lock.fcntl.flock", flock)
    said = rf"cannot be locked \({os.strerror(number)}\): take a folder on a file system with locks"
    with pytest.raises(InputError, match=said), locked(tmp_path):
        pass
    assert not is_locked(tmp_path)


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty: use a new folder"):
        improve_to_folder(CONFIG, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ValueError, match="cannot be made a RUN folder"):
        improve_to_folder(CONFIG, tmp_path / "notes.txt")


def test_files_that_are_links_are_replaced_and_not_written_through(run_folder, tmp_path):
    """A RUN may come from a stranger."""
    folder = shutil.copytree(run_folder, tmp_path / "run")
    (tmp_path / "mine").write_text("all I have")
    for name in ("config.json", "metrics.jsonl", "trajectory.csv", "notes.jsonl"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(tmp_path / "mine")
    run = RunFolder(folder, CONFIG)
    run.rewind([json.loads(line) for line in (run_folder / "metrics.jsonl").open()], CONFIG)
    run.note("out of the ordinary")
    assert (tmp_path / "mine").read_text() == "all I have"
    assert not [path for path in folder.iterdir() if path.is_symlink()]
