"""A run on many devices is the run on one, and goes on where there are fewer."""

import dataclasses
import json

import pytest

from jaxgap.errors import InputError
from jaxgap.improve import improve_to_folder, run

MESH = "data=2,fsdp=2,tensor=2"


def assert_close(ours, expected):
    """Rounding moves log-probabilities; what was drawn and chosen is the same."""
    assert len(ours) == len(expected)
    for row, wanted in zip(ours, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-3, abs=1e-4)
        for name in ("solver_accuracy", "verifier_accuracy", "solver_length", "fallback"):
            assert row[name] == wanted[name]


@pytest.fixture(scope="module")
def alone(small):
    """What the run measures on one device."""
    return [checkpoint.metrics.row() for checkpoint in run(small)]


def test_a_run_on_eight_devices_measures_what_one_does(
    alone, jaxgap, small, options, rows, tmp_path
):
    config = dataclasses.replace(small, mesh=MESH)
    jaxgap(8, "improve", "--out", tmp_path / "run", *options(config))
    assert_close(rows(tmp_path / "run"), alone)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["mesh"] == MESH
    assert not (tmp_path / "run" / "notes.jsonl").exists()


@pytest.mark.slow
def test_a_run_goes_on_on_other_meshes(jaxgap, small, options, rows, tmp_path):
    folder = tmp_path / "run"
    first = dataclasses.replace(small, mesh=MESH, lora_rank=4)
    jaxgap(8, "improve", "--out", folder, *options(first))
    on = ("improve", "--resume", folder, "--more-rounds", 1, "--mesh")
    jaxgap(2, *on, "fsdp=2")
    jaxgap(1, *on, "data=1")
    alone = dataclasses.replace(small, num_rounds=3, lora_rank=4)
    assert_close(rows(folder), [checkpoint.metrics.row() for checkpoint in run(alone)])
    # Had a checkpoint not been read, the run would have begun again and said so.
    assert not (folder / "notes.jsonl").exists()
    assert json.loads((folder / "config.json").read_text())["mesh"] == "data=1"


@pytest.mark.parametrize(
    ("mesh", "complaint"),
    [
        ("data=64", "needs 64 devices, there are 1: give another --mesh, or --mesh '' for one"),
        ("rows=2", "a mesh must look like data=2,fsdp=2,tensor=2"),
    ],
)
def test_a_mesh_that_cannot_be_is_refused_and_nothing_written(small, tmp_path, mesh, complaint):
    with pytest.raises(InputError, match=complaint):
        improve_to_folder(dataclasses.replace(small, mesh=mesh), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_mesh_of_one_device_changes_nothing(small, alone):
    ours = [c.metrics.row() for c in run(dataclasses.replace(small, mesh="data=1"))]
    assert_close(ours, alone)
