"""Outputs: no file that is read is replaced, and any beside it may be written."""

import errno
import json
import os
from pathlib import Path

import pytest

from jaxgap.cli.main import run_command
from jaxgap.cli.output import check_outputs
from jaxgap.errors import InputError

CURVE = "t,solver\n" + "".join(f"{t},{1 + 2**-t}\n" for t in range(8))
EVENTS = "events.out.tfevents.1"


@pytest.fixture
def demo(tmp_path):
    """A folder that has a run's table, a trainer's state in a checkpoint, and events."""
    folder = tmp_path / "demo"
    (folder / "checkpoint-5").mkdir(parents=True)
    for name in (
        "trajectory.csv",
        "trajectory.csv.json",
        "checkpoint-5/trainer_state.json",
        EVENTS,
    ):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("read", "out"),
    [
        ("demo", "demo/trajectory.csv"),
        ("demo", "demo/trajectory.csv.json"),
        ("demo", "demo/checkpoint-5/trainer_state.json"),
        ("demo", f"demo/{EVENTS}"),
        ("demo", "link"),
        ("demo/trajectory.csv", "demo/trajectory.csv.json"),
        ("demo/checkpoint-5/trainer_state.json", "demo/checkpoint-5/trainer_state.json"),
        ("lines.jsonl", "lines.jsonl"),
    ],
)
def test_what_is_read_is_not_replaced(read, out, demo, tmp_path):
    (tmp_path / "link").symlink_to(demo / "trajectory.csv")
    with pytest.raises(InputError, match=f"--json .*{out}: is one of the files read"):
        check_outputs([tmp_path / read], json=tmp_path / out)


@pytest.mark.parametrize(
    ("read", "out"),
    [
        ("demo", "demo.json"),
        ("demo", "demo/fit.json"),
        ("lines.jsonl", "lines.jsonl.json"),
        ("demo/checkpoint-5/trainer_state.json", "demo/checkpoint-5/trainer_state.json.json"),
    ],
)
def test_what_is_beside_it_may_be_written(read, out, demo, tmp_path):
    check_outputs([tmp_path / read], json=tmp_path / out)


def test_a_folder_that_takes_no_files_is_refused_before_the_work(tmp_path, monkeypatch):
    """Root may write there by the permissions, but the file system does not let it."""

    def fail(*args, **kwargs):
        raise OSError(errno.EACCES, "Permission denied")

    check_outputs(json=tmp_path / "fit.json")
    monkeypatch.setattr("tempfile.TemporaryFile", fail)
    with pytest.raises(InputError, match=r"^--json .*fit\.json: cannot be written; choose another"):
        check_outputs(json=tmp_path / "fit.json")
    check_outputs(json=Path(os.devnull))


@pytest.mark.parametrize("name", ["manifest.csv", "inner/run.csv", "inner/run.csv.json"])
def test_a_backtest_replaces_none_of_its_curves(name, tmp_path, capsys):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "run.csv").write_text(CURVE)
    (tmp_path / "manifest.csv").write_text("file,kind\ninner/run.csv,uncertainty\n")
    refused(["backtest", tmp_path, "--json", tmp_path / name], capsys)
    assert (tmp_path / "inner" / "run.csv").read_text() == CURVE
    assert (tmp_path / "manifest.csv").read_text().startswith("file,kind")


@pytest.mark.parametrize("model", ["{tmp}", "{tmp}/config.json"])
def test_a_plan_does_not_replace_its_model(model, tmp_path, capsys):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "llama"}))
    model = model.format(tmp=tmp_path)
    refused(["plan", "--model", model, "--topology", "v5e:2x2", "--json", config], capsys)
    assert json.loads(config.read_text()) == {"model_type": "llama"}


def refused(argv: list[str | Path], capsys):
    """Run a command whose output has to be refused."""
    with pytest.raises(SystemExit, match="2"):
        run_command([str(part) for part in argv])
    said = capsys.readouterr().err
    assert "is one of the files read; name another file" in said
    assert said.count("\n") == 1
