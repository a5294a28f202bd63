"""Several processes, each with some of the devices, are one run, and end together."""

import dataclasses
import json
import re
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.errors import InputError, RunError
from jaxgap.improve import run
from jaxgap.improve.runs import agreement
from jaxgap.improve.runs import run_folder as module
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.sharding import HEARTBEAT_SECONDS, join_processes, processes

MESH = "data=2,fsdp=2,tensor=2"


@pytest.fixture(scope="module")
def config(small):
    """A run that keeps the checkpoints of all the rounds that are looked at."""
    return dataclasses.replace(small, mesh=MESH, num_checkpoints_kept=3)


def wait_for(processes, seconds=300):
    """What they say as they end, one after another."""
    said = [process.communicate(timeout=seconds)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [2, 4])
def test_they_measure_what_one_does_and_go_on_in_other_numbers(
    start_together, jaxgap, config, options, rows, tmp_path, num_processes
):
    folder = tmp_path / "run"
    on = ("improve", "--resume", folder, "--more-rounds", 1)
    command = ("improve", "--out", folder, *options(config))
    wait_for(start_together(num_processes, 8 // num_processes, *command))
    wait_for(start_together(2, 1, *on, "--mesh", "fsdp=2"))
    jaxgap(1, *on, "--mesh", "data=1")
    expected = [
        each.metrics.row() for each in run(dataclasses.replace(config, mesh="", num_rounds=3))
    ]
    ours = rows(folder)
    assert len(ours) == len(expected)
    for row, wanted in zip(ours, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-3, abs=1e-4)
    assert not (folder / "notes.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "victim"), [(signal.SIGKILL, 1), (signal.SIGKILL, 0), (signal.SIGSTOP, 1)]
)
def test_one_that_is_lost_ends_the_others_and_the_run_goes_on(
    start_together, jaxgap, config, options, rows, tmp_path, number, victim
):
    folder = tmp_path / "run"
    command = ("improve", "--out", folder, *options(dataclasses.replace(config, num_rounds=20)))
    processes = start_together(2, 4, *command)
    deadline = time.monotonic() + 300
    while not (folder / "checkpoints" / "1").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    processes[victim].send_signal(number)
    _, said = processes[1 - victim].communicate(timeout=HEARTBEAT_SECONDS + 60)
    assert processes[1 - victim].returncode != 0
    assert f"start all of them again with --resume {folder}" in said
    assert "Traceback" not in said
    processes[victim].kill()
    assert len(rows(folder)) < 21
    jaxgap(1, "improve", "--resume", folder, "--mesh", "data=1")
    assert len(rows(folder)) == 21


@pytest.mark.slow
def test_a_file_that_only_one_of_them_reads_may_be_damaged(
    start_together, config, options, rows, tmp_path
):
    """Neither waits for the other at a barrier of Orbax, which takes five minutes to give up."""
    folder = tmp_path / "run"
    settings = dataclasses.replace(config, mesh="fsdp=2")
    wait_for(start_together(2, 1, "improve", "--out", folder, *options(settings)))
    before = rows(folder)
    for file in (folder / "checkpoints" / "1" / "arrays" / "ocdbt.process_1" / "d").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    wait_for(start_together(2, 1, "improve", "--resume", folder), 240)
    assert rows(folder) == before
    (note,) = (folder / "notes.jsonl").read_text().splitlines()
    said = json.loads(note)["note"]
    assert said.startswith("checkpoint 1 is damaged (")
    assert "barrier" not in said


@pytest.mark.slow
def test_all_of_them_told_to_end_do_so_at_once(start_together, config, options, tmp_path):
    folder = tmp_path / "run"
    command = ("improve", "--out", folder, *options(dataclasses.replace(config, num_rounds=20)))
    processes = start_together(2, 4, *command)
    deadline = time.monotonic() + 300
    while not (folder / "checkpoints" / "1").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in processes:
        process.terminate()
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [143, 143], said
    assert all(
        f"terminated; to continue: jaxgap improve --resume {folder}" in each for each in said
    )


@pytest.mark.slow
def test_what_the_first_refuses_all_refuse(start_together, config, options, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()
    command = ("improve", "--out", tmp_path / "run", *options(config))
    processes = start_together(2, 4, *command)
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], said
    assert "is not empty" in said[0]


def test_processes_that_are_told_otherwise_are_refused(start_together, config, options, tmp_path):
    folder = tmp_path / "run"
    command = ("improve", "--out", folder, *options(config))
    processes = start_together(2, 4, *command, last=("--seed", 5))
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], said
    assert all("not every process has what the first has: the setting seed" in s for s in said)
    assert not folder.exists()


GONE = r"jaxgap: another process has gone or cannot continue \(.*\): start all of them again .*\n"
OTHER = "jaxgap: another process cannot continue, and says why\n"


@pytest.mark.parametrize(
    ("where", "who", "ours", "others"),
    [
        ("assembly-input", 1, (2, "jaxgap: mine: is wrong\n"), (2, OTHER)),
        pytest.param(
            "first-system",
            0,
            (2, "jaxgap: a/b: Permission denied\n"),
            (2, OTHER),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "all-run", 0, (1, "jaxgap: the disk is full\n"), (1, OTHER), marks=pytest.mark.slow
        ),
        pytest.param(
            "all-mistake",
            1,
            (1, r"Traceback .*\nKeyError: 'a mistake'\n\n"),
            (1, OTHER),
            marks=pytest.mark.slow,
        ),
        ("alone-input", 1, (2, "jaxgap: mine: is wrong\n"), (1, GONE)),
        pytest.param(
            "alone-system",
            1,
            (2, "jaxgap: a/b: Permission denied\n"),
            (1, GONE),
            marks=pytest.mark.slow,
        ),
        ("alone-kill", 1, (-signal.SIGKILL, "jaxgap: this process or another .*"), (1, GONE)),
    ],
)
def test_where_one_fails_all_end_at_once_and_say_why(
    start_script_together, tmp_path, where, who, ours, others
):
    folder = tmp_path / "run"
    processes = start_script_together("ended_together.py", folder, where, who)
    said = [process.communicate(timeout=60)[1] for process in processes]
    for index, process in enumerate(processes):
        status, line = ours if index == who else others
        assert process.returncode == status, said
        lines = re.sub(r"\[Gloo\].*\n", "", said[index])
        assert re.fullmatch(line, lines, re.DOTALL), lines
    assert not folder.exists()


def test_the_first_part_that_differs_is_named(monkeypatch):
    monkeypatch.setattr(
        agreement, "broadcast_from_first", lambda value: value + np.array([0, 1, 1], np.uint32)
    )
    with pytest.raises(InputError, match="what the first has: its problems; start all of them"):
        agreement.require_same({"the frozen weights": 1, "its problems": 2, "others": 3})


@pytest.mark.parametrize(
    ("texts", "found"),
    [(["", ""], ""), (["", "é: b"], "é: b"), (["a", "b"], "a"), (["", "é" * 300], "é" * 200)],
)
def test_the_first_that_has_a_text_is_heard(monkeypatch, texts, found):
    padded = {}
    monkeypatch.setattr(processes, "_of_all", lambda value: padded.setdefault("one", value)[None])
    sent = []
    for text in texts:
        padded.clear()
        processes.first_said(text)
        sent.append(padded["one"])
    monkeypatch.setattr(processes, "_of_all", lambda value: np.stack(sent))
    assert processes.first_said("") == found


def test_all_but_the_first_write_nothing(config, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "is_first", lambda: False)
    folder = RunFolder.create(tmp_path, config)
    folder.note("out of the ordinary")
    folder.rewind([{"t": 0.0}], folder.config)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "variables", "complaint"),
    [
        (["--num-processes", "2"], {}, "--num-processes 2 needs --coordinator HOST:PORT"),
        (["--coordinator", "a:1"], {}, "--coordinator a:1 needs --num-processes N and"),
        (["--coordinator", "a:1", "--num-processes", "2", "--process-id", "2"], {}, "got 2 and 2"),
        (
            ["--coordinator", "a"],
            {},
            "--coordinator a: must be HOST:PORT, the port from 1 to 65535",
        ),
        (["--coordinator", "a:0"], {}, "--coordinator a:0: must be HOST:PORT"),
        (["--coordinator", "a:65536"], {}, "--coordinator a:65536: must be HOST:PORT"),
        (["--coordinator", ":5"], {}, "--coordinator :5: must be HOST:PORT"),
        ([], {"JAX_COORDINATOR_ADDRESS": "a:b"}, "--coordinator a:b: must be HOST:PORT"),
        (["--process-id", "0"], {"JAX_NUM_PROCESSES": "two"}, "must be a whole number, got 'two'"),
    ],
)
def test_who_takes_part_must_be_said_whole(
    tmp_path, monkeypatch, capsys, said, variables, complaint
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        run_command(["improve", "--out", str(tmp_path / "run"), *said])
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture
def initialized(monkeypatch):
    """What `jax.distributed` is asked for, which it does not do."""
    before, calls = jax.config.jax_cpu_collectives_implementation, []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *said, **rest: calls.append(rest))
    yield calls
    jax.config.update("jax_cpu_collectives_implementation", before)


@pytest.mark.parametrize(("coordinator", "method"), [("host:1", "deactivate"), ("auto", None)])
def test_a_cluster_is_asked_only_where_nothing_is_said(initialized, coordinator, method):
    """Under Slurm JAX would give each process one device."""
    join_processes(coordinator, 2, 1)
    assert initialized[0]["cluster_detection_method"] == method


def test_a_port_that_is_taken_is_refused_by_the_process_that_would_listen(initialized):
    with socket.create_server(("", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"{address}: cannot listen on this port"):
            join_processes(address, 2, 0)
        assert not initialized
        join_processes(address, 2, 1)
    assert initialized


@pytest.mark.parametrize("has_run", [False, True])
def test_one_that_is_lost_says_how_to_go_on_with_what_there_is(tmp_path, has_run):
    if has_run:
        (tmp_path / "config.json").touch()
    program = (
        "import os, pathlib, sys\n"
        "from jaxgap.cli import processes\n"
        "with processes._survived_by(pathlib.Path(sys.argv[1])):\n"
        "    os.abort()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], stderr=subprocess.PIPE, text=True
    )  # ends once the survivor, too, has closed the pipe
    advice = f"--resume {tmp_path}" if has_run else "the same command"
    lost = "jaxgap: this process or another was lost: start all of them again with"
    assert done.stderr == f"{lost} {advice}\n"


def test_one_that_is_lost_as_soon_as_it_has_joined_is_one_line(initialized, monkeypatch):
    def lost():
        raise jax.errors.JaxRuntimeError("UNKNOWN: Gloo:\nconnection closed")

    monkeypatch.setattr(processes, "barrier", lost)
    with pytest.raises(RunError, match="cannot meet at host:1: UNKNOWN: Gloo: connection closed"):
        join_processes("host:1", 2, 1)
