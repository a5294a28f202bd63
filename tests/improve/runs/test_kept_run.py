"""A run goes on as if nothing had happened, whatever happened, or says in one line why not."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxgap.errors import DiskFullError, InputError, RunError
from jaxgap.improve import (
    EndRun,
    ImproveConfig,
    Watcher,
    assembly,
    improve_to_folder,
    loop,
    resume_folder,
)
from jaxgap.improve import train as training
from jaxgap.improve.faults import NotFinite
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.round_records import LoopState
from jaxgap.improve.runs import kept_run as module
from jaxgap.improve.runs import run_notes
from jaxgap.improve.runs.checkpoints import CheckpointStore
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import is_locked, locked
from jaxgap.improve.train import train
from jaxgap.trajectory.sources.tensorboard import read_tensorboard

CONFIG = ImproveConfig(
    num_rounds=3,
    num_train_prompts=8,
    num_held_out_prompts=6,
    num_candidates=2,
    batch_size=4,
    prompts_per_call=8,
    learning_rate=1e-3,
)
EQUAL_FILES = ("config.json", "metrics.jsonl", "trajectory.csv", "trajectory.csv.json")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Kill(BaseException):
    """Nothing in the product catches this."""


def kill_at(stage_number):
    """A watcher that ends everything as so many stages have begun."""
    seen = []

    def on_stage(round_index, stage):
        seen.append(stage)
        if len(seen) > stage_number:
            raise Kill(f"as stage {stage_number} began")

    return Watcher(on_stage=on_stage)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nothing happened to, and its weights in the end."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    improve_to_folder(CONFIG, folder)
    return folder


def end_weights(folder):
    """The digests of all arrays of the last checkpoint."""
    last = max((folder / "checkpoints").iterdir(), key=lambda path: int(path.name))
    metadata = json.loads((last / "_CHECKPOINT_METADATA").read_text())
    return metadata["custom_metadata"]["digests"]


def assert_same(folder, whole):
    for name in EQUAL_FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert end_weights(folder) == end_weights(whole)


# Stages begin in the order generate, verify, select, measure, train; the last round has no train.
@pytest.mark.parametrize(
    "stage_number", [4, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 2, 6, 9, 13, 18))]
)
def test_a_run_killed_in_any_stage_goes_on_bit_for_bit(whole, tmp_path, stage_number):
    folder = tmp_path / "run"
    with pytest.raises(Kill, match=f"as stage {stage_number} began"):
        improve_to_folder(CONFIG, folder, kill_at(stage_number))
    resume_folder(folder)
    assert_same(folder, whole)
    assert not (folder / "notes.jsonl").exists()


def test_a_run_does_not_depend_on_the_default_kind_of_key(whole, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Kill, match="as stage 9 began"):
        improve_to_folder(CONFIG, folder, kill_at(9))
    with jax.default_prng_impl("rbg"):
        resume_folder(folder)
    assert_same(folder, whole)
    assert not (folder / "notes.jsonl").exists()


def test_a_run_killed_again_and_again_ends_the_same(whole, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Kill, match="as stage 5 began"):
        improve_to_folder(CONFIG, folder, kill_at(5))
    for _ in range(2):
        with pytest.raises(Kill, match="as stage 4 began"):
            resume_folder(folder, kill_at(4))
    resume_folder(folder)
    assert_same(folder, whole)
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    logged = [entry.values for entry in read_tensorboard(folder).entries]
    assert [values["step"] for values in logged if "solver" in values] == [0, 1, 2, 3]


def test_a_finished_run_has_nothing_left_to_do(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    resume_folder(folder, Watcher(on_stage=lambda round_index, stage: pytest.fail(stage)))
    assert_same(folder, whole)


def test_more_rounds_are_those_that_a_longer_run_would_have_had(whole, tmp_path):
    short = dataclasses.replace(CONFIG, num_rounds=1)
    improve_to_folder(short, tmp_path / "run")
    resume_folder(tmp_path / "run", more_rounds=2)
    assert_same(tmp_path / "run", whole)
    with pytest.raises(InputError, match="more_rounds must be 0 or more, got -1"):
        resume_folder(tmp_path / "run", more_rounds=-1)


def other_problems(config):
    """The parts of the same run, but for the answer to one problem."""
    loop, params = assembly.assemble(config)
    first, *others = loop.split.train
    train = (dataclasses.replace(first, answer="0"), *others)
    return dataclasses.replace(loop, split=dataclasses.replace(loop.split, train=train)), params


def test_a_resumption_that_is_refused_changes_nothing(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="its problems are not those that the run was made with"):
        resume_folder(folder, more_rounds=2, assemble=other_problems)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_nothing_is_noted_of_a_resumption_that_an_older_checkpoint_refuses(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "3")
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(InputError, match="its problems are not those that the run was made with"):
        resume_folder(folder, assemble=other_problems)
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_external_responses_have_to_stay_the_same_and_rounds_may_be_added(tmp_path):
    problems = assembly.assemble(CONFIG)[0].split.train
    file, folder = tmp_path / "responses.jsonl", tmp_path / "run"
    rows = [json.dumps({"prompt": each.text, "response": "22"}) for each in problems]
    file.write_text("\n".join(rows))
    improve_to_folder(dataclasses.replace(CONFIG, num_rounds=1, external=str(file)), folder)
    settings = (folder / "config.json").read_bytes()
    file.write_text("\n".join(rows).replace("22", "23"))
    with pytest.raises(InputError, match="its external responses are not those that the run was"):
        resume_folder(folder, more_rounds=1)
    assert (folder / "config.json").read_bytes() == settings
    file.write_text("\n".join(rows))
    assert len(resume_folder(folder, more_rounds=1)) == 3


def notes_of(folder):
    return [json.loads(line)["note"] for line in (folder / "notes.jsonl").read_text().splitlines()]


@pytest.fixture
def sign_in_round_two(monkeypatch):
    """A sign of collapse that shows from the second round on."""

    def signs(history):
        late = [metrics for metrics in history if metrics.round_index >= 2]
        return {"accuracy": f"worse: {late[-1].held_out.solver.mean}"} if late else {}

    monkeypatch.setattr(run_notes, "signs_of_collapse", signs)


@pytest.mark.slow
@pytest.mark.usefixtures("sign_in_round_two")
def test_a_sign_of_collapse_is_noted_once_whatever_is_lost(tmp_path, monkeypatch):
    """A round that is done again may measure other numbers."""
    signs = run_notes.signs_of_collapse

    def reworded(history):
        return {name: sentence + "0" for name, sentence in signs(history).items()}

    folder = tmp_path / "run"
    improve_to_folder(CONFIG, folder)
    (sign,) = notes_of(folder)
    for lost in ((3,), (3, 2)):
        for step in lost:
            shutil.rmtree(folder / "checkpoints" / str(step))
        with monkeypatch.context() as patch:
            patch.setattr(run_notes, "signs_of_collapse", reworded)
            resume_folder(folder)
        assert [note for note in notes_of(folder) if note.startswith("worse")] == [sign]


@pytest.mark.usefixtures("sign_in_round_two")
def test_a_sign_of_collapse_is_noted_though_the_run_was_killed_before(tmp_path, monkeypatch):
    def kill(self, line, **what):
        raise Kill("as a note was made")

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "note", kill)
        with pytest.raises(Kill, match="as a note was made"):
            improve_to_folder(CONFIG, folder)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir())[-1] == "2"
    resume_folder(folder)
    (sign,) = notes_of(folder)
    assert sign.startswith("worse")


def other_versions(folder):
    """Let the run have been on another machine; what its versions are."""
    versions = json.loads((folder / "versions.json").read_text())
    others = {"jax": "0.0", "device": "abacus\x1b[2J"}
    (folder / "versions.json").write_text(json.dumps(versions | others))
    return versions


def test_other_versions_are_noted_once(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "3")
    versions = other_versions(folder)
    for _ in range(2):
        resume_folder(folder)
    assert notes_of(folder)[1:] == [
        f"continues with jax {versions['jax']}, previously '0.0'",
        f"continues with device {versions['device']}, previously 'abacus\\x1b[2J'",
    ]
    assert json.loads((folder / "versions.json").read_text()) == versions
    assert_same(folder, whole)


def test_versions_of_a_run_with_nothing_left_to_do_stay(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    other_versions(folder)
    before = (folder / "versions.json").read_bytes()
    resume_folder(folder)
    assert (folder / "versions.json").read_bytes() == before
    assert not (folder / "notes.jsonl").exists()


UNREADABLE = ("{", "[]", "{}")


@pytest.mark.parametrize("text", UNREADABLE)
def test_of_versions_that_cannot_be_read_nothing_has_changed(whole, tmp_path, text):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "versions.json").write_text(text)
    assert RunFolder.reopen(folder).changed_versions() == {}


@pytest.mark.parametrize(
    "text", [UNREADABLE[0], *(pytest.param(t, marks=pytest.mark.slow) for t in UNREADABLE[1:])]
)
def test_versions_that_cannot_be_read_are_no_hindrance(whole, tmp_path, text):
    folder = shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints" / "3")
    (folder / "versions.json").write_text(text)
    resume_folder(folder)
    assert (folder / "versions.json").read_bytes() == (whole / "versions.json").read_bytes()
    assert len(notes_of(folder)) == 1


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(whole, tmp_path):
    folder, said = shutil.copytree(whole, tmp_path / "run"), []
    data = max((folder / "checkpoints" / "3").rglob("d/*"), key=lambda path: path.stat().st_size)
    raw = bytearray(data.read_bytes())
    raw[len(raw) // 2] ^= 1
    data.write_bytes(bytes(raw))
    resume_folder(folder, Watcher(on_note=said.append))
    assert len(said) == 1
    assert "checkpoint 3 is damaged" in said[0]
    assert json.loads((folder / "notes.jsonl").read_text())["note"] == said[0]
    assert_same(folder, whole)


def test_a_deleted_checkpoint_is_said_and_the_one_before_used(whole, tmp_path):
    folder, said = shutil.copytree(whole, tmp_path / "run"), []
    shutil.rmtree(folder / "checkpoints" / "3")
    resume_folder(folder, Watcher(on_note=said.append))
    assert said == ["there is no checkpoint of round 3: continuing from checkpoint 2"]
    assert_same(folder, whole)


def test_without_any_checkpoint_it_begins_again(whole, tmp_path):
    folder, said = shutil.copytree(whole, tmp_path / "run"), []
    shutil.rmtree(folder / "checkpoints")
    (folder / "metrics.jsonl").unlink()
    resume_folder(folder, Watcher(on_note=said.append))
    assert said == ["there is no checkpoint of round 3: continuing from the beginning"]
    assert_same(folder, whole)


def test_two_processes_on_one_run_are_refused(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    program = [sys.executable, "-m", "jaxgap", "improve", "--resume", str(folder)]
    with locked(folder):
        second = subprocess.run(program, capture_output=True, text=True)
        assert is_locked(folder)
        with pytest.raises(InputError, match=f"is in use by process {os.getpid()} on "):
            resume_folder(folder)
    assert not is_locked(folder)
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert f"in use by process {os.getpid()}" in second.stderr


def blow_up(monkeypatch, times):
    """Training whose losses are not finite, so many times over; how often it has happened."""
    healthy, failures = module.self_improve, []

    def sick(loop, state, on_stage, training_set=None):
        for checkpoint in healthy(loop, state, on_stage, training_set):
            yield checkpoint
            if checkpoint.state.round_index == 1 and len(failures) < times:
                failures.append(1)
                # As after a real failure, the buffers are gone.
                for leaf in [checkpoint.state.params["embedding"]["embedding"]]:
                    leaf.delete()
                raise NotFinite(1, "a training loss")

    monkeypatch.setattr(module, "self_improve", sick)
    return failures


def test_a_round_that_blows_up_is_rolled_back_and_drawn_afresh(whole, tmp_path, monkeypatch):
    blow_up(monkeypatch, 2)
    metrics = improve_to_folder(CONFIG, tmp_path / "run")
    notes = [json.loads(line) for line in (tmp_path / "run/notes.jsonl").read_text().splitlines()]
    assert [note["note"] for note in notes if "NaN" in note["note"]] == [
        "a training loss in round 1 is NaN or infinite: round 1 is redrawn"
    ] * 2
    assert [m.round_index for m in metrics] == [0, 1, 2, 3]
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert metrics[0].row() == rows[0]
    assert metrics[1].row() != rows[1]
    assert metrics[1].training == RoundMetrics.from_row(rows[1]).training is not None


@pytest.mark.slow
def test_a_round_that_blows_up_each_time_stops_the_run_with_its_checkpoints(tmp_path, monkeypatch):
    failures = blow_up(monkeypatch, 99)
    config = dataclasses.replace(CONFIG, num_retries=1)
    with pytest.raises(RunError, match="round 1 is NaN or infinite, 2 times in a row"):
        improve_to_folder(config, tmp_path / "run")
    assert len(failures) == 2
    monkeypatch.undo()
    assert len(resume_folder(tmp_path / "run")) == 4


def test_a_model_that_is_not_finite_from_the_start_is_refused(tmp_path, monkeypatch):
    def broken():
        model, params = load()
        params["norm"]["scale"] = params["norm"]["scale"] * jnp.nan
        return model, params

    load = assembly.load_embedded
    monkeypatch.setattr(assembly, "load_embedded", broken)
    with pytest.raises(
        RunError, match=r"token in round 0 is NaN .* before any training: .* another `dtype`"
    ):
        improve_to_folder(CONFIG, tmp_path / "run")


def fail_with_keys(monkeypatch, keys):
    """Training of round 1 that fails in every process where the state has one of these keys."""
    bad = {tuple(jax.random.key_data(key).tolist()) for key in keys}

    def sick(model, optimizer, computation, state, *rest, **settings):
        key = tuple(jax.random.key_data(state.key).tolist())
        if state.round_index == 1 and key in bad:
            raise NotFinite(1, "a training loss")
        return train(model, optimizer, computation, state, *rest, **settings)

    monkeypatch.setattr(loop, "train", sick)


@pytest.mark.parametrize(
    "candidates", ["regenerated", pytest.param("fixed", marks=pytest.mark.slow)]
)
def test_a_run_killed_between_two_draws_draws_as_if_it_had_not_been(
    tmp_path, monkeypatch, candidates
):
    state = LoopState({}, (), jax.random.key(CONFIG.seed), 1)
    fail_with_keys(monkeypatch, [state.key, state.redrawn(1).key])
    config = dataclasses.replace(CONFIG, num_rounds=2, candidates=candidates)
    improve_to_folder(config, tmp_path / "whole")
    redrawn = [note for note in notes_of(tmp_path / "whole") if "redrawn" in note]
    assert len(redrawn) == 2

    def kill(line):
        raise Kill("as a note was made")

    with pytest.raises(Kill, match="as a note was made"):
        improve_to_folder(config, tmp_path / "run", Watcher(on_note=kill))
    # After the second draw, which fails as well.
    with pytest.raises(Kill, match="as a note was made"):
        resume_folder(tmp_path / "run", Watcher(on_note=second(kill)))
    resume_folder(tmp_path / "run")
    assert_same(tmp_path / "run", tmp_path / "whole")


def test_training_takes_the_place_of_what_a_checkpoint_is_being_written_of(tmp_path, monkeypatch):
    update = training.update
    freed = []

    def watched(model, optimizer, computation, params, frozen, opt_state, examples):
        step = update(model, optimizer, computation, params, frozen, opt_state, examples)
        freed.append(all(leaf.is_deleted() for leaf in jax.tree.leaves((params, opt_state))))
        return step

    monkeypatch.setattr(training, "update", watched)
    improve_to_folder(dataclasses.replace(CONFIG, num_rounds=2), tmp_path / "run")
    assert len(freed) == 4
    assert all(freed)


def test_the_arrays_of_a_round_that_failed_are_gone_before_its_checkpoint_is_read(
    tmp_path, monkeypatch
):
    shape, newest = (7, 13, 11), CheckpointStore.newest
    fails = iter([True])
    alive = []

    def sick(model, optimizer, computation, state, *rest, **settings):
        if next(fails, False):
            mine = jnp.zeros(shape)
            raise NotFinite(int(mine[0, 0, 0]), "a training loss")
        return train(model, optimizer, computation, state, *rest, **settings)

    def read(self, *rest):
        alive.append(sum(array.shape == shape for array in jax.live_arrays()))
        return newest(self, *rest)

    monkeypatch.setattr(loop, "train", sick)
    monkeypatch.setattr(CheckpointStore, "newest", read)
    improve_to_folder(dataclasses.replace(CONFIG, num_rounds=1), tmp_path / "run")
    assert alive == [0, 0]  # as the run began, and as it went back


def second(action):
    """Does nothing the first time, and this the second."""
    lines = []

    def told(line):
        lines.append(line)
        if len(lines) == 2:
            action(line)

    return told


def test_a_watcher_may_end_a_run_and_it_goes_on_later(whole, tmp_path):
    def enough(metrics):
        if metrics.round_index == 1:
            raise EndRun("enough")

    metrics = improve_to_folder(CONFIG, tmp_path / "run", Watcher(on_round=enough))
    assert [m.round_index for m in metrics] == [0, 1]
    assert '"note": "ended early: enough"' in (tmp_path / "run" / "notes.jsonl").read_text()
    resume_folder(tmp_path / "run")
    assert_same(tmp_path / "run", whole)


def test_a_disk_that_cannot_be_written_is_one_line(whole, tmp_path, monkeypatch):
    def full(self, saved):
        return self._guarded(lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", full)
        with pytest.raises(DiskFullError, match="no space left on the disk"):
            improve_to_folder(CONFIG, folder)
    resume_folder(folder)
    assert_same(folder, whole)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"num_rounds": "3"}', "num_rounds must be of type int"),
        ('{"num_rounds": -3}', "num_rounds must be at least 1"),
        ('{"shell": "rm"}', "unknown setting 'shell'"),
        ('{"num_rounds": true}', "num_rounds must be of type int"),
    ],
)
def test_settings_from_a_stranger_are_checked(whole, tmp_path, text, complaint):
    folder = shutil.copytree(whole, tmp_path / "run")
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match=complaint):
        resume_folder(folder)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="contains no run to resume"):
        resume_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"a run: resume it with `resume_folder\('.*'\)`"):
        improve_to_folder(CONFIG, tmp_path)
