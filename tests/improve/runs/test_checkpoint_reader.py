"""Damage is told from trouble of the system, which says nothing about the checkpoint."""

import errno
import os

import jax
import pytest

from jaxgap.errors import RunError
from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs.checkpoint_reader import CheckpointReader

TROUBLE = [OSError(each, os.strerror(each)) for each in (errno.EMFILE, errno.EIO, errno.ESTALE)]


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "kept").mkdir()
    return CheckpointReader(tmp_path / "kept", {})


@pytest.fixture
def state():
    return LoopState({}, None, jax.random.key(0), 0)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        *((each, None) for each in TROUBLE),
        *((ValueError("the checkpoint is not to be read"), each) for each in TROUBLE),
        (ValueError("Error opening file: d/0 [OS error 24: EMFILE Too many open files]"), None),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory"), None),
    ],
)
def test_trouble_of_the_system_is_not_called_damage(reader, state, monkeypatch, error, cause):
    def fail(self, step, *rest):
        raise error from cause

    monkeypatch.setattr(CheckpointReader, "_shards", fail)
    monkeypatch.setattr(CheckpointReader, "_read_metadata", fail)
    with pytest.raises(RunError, match=r"kept/3: cannot be read \(.*\); it stays as it is"):
        reader.read(3, state)
    assert not reader.is_unreadable(3)


def test_damage_is_given_as_a_reason_in_one_line(reader, state, monkeypatch):
    def fail(self, step, *rest):
        raise ValueError("not\nwhat was written")

    monkeypatch.setattr(CheckpointReader, "_shards", fail)
    monkeypatch.setattr(CheckpointReader, "_read_metadata", fail)
    assert reader.read(3, state) == "not what was written"
    assert reader.is_unreadable(3)


def test_a_round_without_a_checkpoint_is_unreadable(reader):
    assert reader.is_unreadable(3)
