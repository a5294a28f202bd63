"""TensorBoard shows what metrics.jsonl holds, each round once, also after an interruption."""

import dataclasses
import importlib.util
import json
import shutil

import numpy as np
import pytest

from jaxgap.improve import ImproveConfig
from jaxgap.improve.measures.mean_with_error import MeanWithError
from jaxgap.improve.measures.metrics import RoundMetrics, SplitMetrics
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.trajectory.read import read_trajectory
from jaxgap.trajectory.sources.tensorboard import EVENT_FILES

NAMES = [field.name for field in dataclasses.fields(SplitMetrics)]


def measured(round_index):
    values = np.random.default_rng(round_index).uniform(size=(2, len(NAMES), 2)).tolist()
    held_out, train = (
        SplitMetrics(**{n: MeanWithError(*value) for n, value in zip(NAMES, split, strict=True)})
        for split in values
    )
    return RoundMetrics(round_index, held_out, train)


def begin(folder):
    folder.mkdir()
    run = RunFolder.create(folder, ImproveConfig())
    run.rewind((), run.config)
    return run


@pytest.fixture
def interrupted(tmp_path):
    """Four checkpoints, of which the last two were measured again after an interruption."""
    run = begin(tmp_path / "run")
    for round_index in range(3):
        run.add(measured(round_index))
    run = RunFolder.reopen(tmp_path / "run")
    run.rewind([measured(0).row(), measured(1).row()], run.config)
    run.add(measured(2))
    run.add(measured(3))
    return tmp_path / "run"


def test_events_are_the_measurements_each_once(interrupted):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(interrupted), purge_orphaned_data=False)
    events.Reload()
    rows = [json.loads(line) for line in (interrupted / "metrics.jsonl").read_text().splitlines()]
    assert {"t", *events.Tags()["scalars"]} == rows[0].keys()
    for name in events.Tags()["scalars"]:
        scalars = events.Scalars(name)
        assert [scalar.step for scalar in scalars] == [0, 1, 2, 3]
        np.testing.assert_array_equal(
            [scalar.value for scalar in scalars], np.float32([row[name] for row in rows])
        )


def test_the_project_reads_what_it_writes(interrupted, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    columns = {name: name for name in ("solver", "verifier", "solver_se", "verifier_se")}
    for events in interrupted.glob(EVENT_FILES):
        shutil.copy(events, tmp_path)
    own = read_trajectory(interrupted)
    # The events alone; and the RUN folder by names, which is read from its table.
    for read in (read_trajectory(tmp_path, columns), read_trajectory(interrupted, columns)):
        assert "notes" not in read.provenance
        for name in ("ts", "solver", "verifier", "solver_se", "verifier_se"):
            np.testing.assert_allclose(getattr(read, name), getattr(own, name), rtol=1e-7)


def test_without_the_extra_nothing_is_written(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find_spec(name)
    )
    run = begin(tmp_path / "run")
    run.add(measured(0))
    assert not list((tmp_path / "run").glob("events.*"))
    assert (tmp_path / "run" / "metrics.jsonl").exists()
