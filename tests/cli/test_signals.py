"""A signal ends a run wherever it comes, and says how to go on."""

import gc
import os
import signal
import time
import weakref

import pytest

from jaxgap.cli import signals
from jaxgap.cli.export import Export
from jaxgap.cli.signals import resumable
from jaxgap.errors import Terminated
from jaxgap.models.huggingface.save import new_folder


def send(number):
    os.kill(os.getpid(), number)
    time.sleep(1)


@pytest.mark.parametrize(
    ("number", "error", "word"),
    [
        (signal.SIGINT, KeyboardInterrupt, "interrupted"),
        (signal.SIGTERM, Terminated, "terminated"),
    ],
)
def test_a_signal_says_how_to_go_on_where_there_is_a_run(tmp_path, number, error, word):
    before = signal.getsignal(number)
    with pytest.raises(error, match=f"^{word}$"), resumable(tmp_path):
        send(number)
    folder = tmp_path / "my run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    goes_on = f"^{word}; to continue: jaxgap improve --resume '{folder}'$"
    with pytest.raises(error, match=goes_on), resumable(folder):
        send(number)
    assert signal.getsignal(number) is before


def test_an_export_that_is_terminated_leaves_nothing(tmp_path, monkeypatch):
    def export(run, out, **settings):
        with new_folder(out, last="config.json") as folder:
            (folder / "model.safetensors").touch()
            send(signal.SIGTERM)

    monkeypatch.setattr("jaxgap.improve.runs.export.export_run", export)
    with pytest.raises(Terminated, match=r"^terminated$"):
        Export(tmp_path / "run", tmp_path / "out").run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "word"),
    [
        pytest.param(signal.SIGINT, "interrupted", marks=pytest.mark.slow),
        (signal.SIGTERM, "terminated"),
    ],
)
def test_a_signal_during_garbage_collection_is_not_lost(tmp_path, number, word):
    def interrupted_callback(phase, info):
        if not sent:
            sent.append(1)
            os.kill(os.getpid(), number)

    def collect_and_wait():
        gc.collect()
        time.sleep(1)

    sent = []
    gc.callbacks.append(interrupted_callback)
    try:
        with pytest.raises(KeyboardInterrupt, match=word), resumable(tmp_path):
            collect_and_wait()
    finally:
        gc.callbacks.remove(interrupted_callback)
    assert sent


def test_a_signal_during_a_weak_references_callback_is_not_lost(tmp_path):
    class Node:
        def __init__(self):
            self.itself = self

    def interrupted_callback(_):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        finished.append(1)

    def collect_and_wait():
        gc.collect()
        time.sleep(1)

    finished = []
    watcher = weakref.ref(Node(), interrupted_callback)
    with pytest.raises(Terminated, match="terminated"), resumable(tmp_path):
        collect_and_wait()
    assert finished
    assert watcher() is None


def test_a_signal_that_comes_twice_lets_what_is_written_be_finished(tmp_path, monkeypatch):
    def told_twice():
        try:
            send(signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            finished.append(1)

    monkeypatch.setattr(signals, "_ECHO", 1e9)
    finished = []
    with pytest.raises(Terminated, match="terminated"), resumable(tmp_path):
        told_twice()
    assert finished


def test_a_signal_once_more_leaves_without_waiting(tmp_path, monkeypatch, capfd):
    def leave(status):
        raise SystemExit(status)

    def told_twice():
        try:
            send(signal.SIGINT)
        finally:
            send(signal.SIGINT)

    monkeypatch.setattr(signals, "_ECHO", -1)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(SystemExit, match="130"), resumable(tmp_path):
        told_twice()
    assert capfd.readouterr().err == "jaxgap: interrupted\n"
