"""A run with parts of the user's own says so, and continues with these or not at all."""

import dataclasses
import json
import shutil

import pytest

from jaxgap.cli.main import run_command
from jaxgap.errors import InputError
from jaxgap.improve import (
    AbstractVerifier,
    EndRun,
    ImproveConfig,
    RoundMetrics,
    Watcher,
    assemble,
    improve_to_folder,
    resume_folder,
)
from jaxgap.improve.runs.digests import json_digest
from jaxgap.improve.runs.new_run_folder import empty_folder
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.tasks import Addition
from jaxgap.trajectory import read_csv
from jaxgap.trajectory.collection import read_runs
from jaxgap.workflows.seed_groups import group_seeds

CONFIG = ImproveConfig(
    num_rounds=2,
    num_train_prompts=8,
    num_held_out_prompts=6,
    num_candidates=2,
    batch_size=4,
    prompts_per_call=8,
    learning_rate=1e-3,
)


class Shortest(AbstractVerifier):
    """The shorter, the better."""

    def __call__(self, params, prompts, candidates, key):
        return 1 / (1 + candidates.lengths)


class Lenient(Addition):
    """The sums of Addition; any answer is right."""

    def grade(self, problem, completion):
        return True


def with_shortest(config):
    loop, params = assemble(config)
    return dataclasses.replace(loop, verifier=Shortest()), params


def with_lenient(config):
    return assemble(config, Lenient())


OWN = {"verifier": with_shortest, "task": with_lenient}
NAMES = {"verifier": "test_own_parts.Shortest", "task": "test_own_parts.Lenient"}
PARTS = {"verifier": "its verifier", "task": "its grader"}


def end_after(round_index):
    def end(metrics):
        if metrics.round_index == round_index:
            raise EndRun("enough")

    return Watcher(on_round=end)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """Runs of built-in parts, and with each part of one's own, after their first round."""
    folder = tmp_path_factory.mktemp("runs")
    for name, make in {"built_in": assemble, **OWN}.items():
        improve_to_folder(CONFIG, folder / name, end_after(1), assemble=make)
    return folder


def files_of(folder):
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(folder, said, **settings):
    """Whether resuming is refused, and changes nothing."""
    before = files_of(folder)
    with pytest.raises(InputError, match=said):
        resume_folder(folder, **settings)
    return files_of(folder) == before


@pytest.mark.parametrize("part", OWN)
def test_a_run_with_a_part_of_ones_own_continues_with_it_alone(interrupted, tmp_path, part):
    folder = shutil.copytree(interrupted / part, tmp_path / "run")
    said = rf"run: {PARTS[part]} is not the one .* \('{NAMES[part]}'\): resume it from Python with "
    assert refused(folder, said)
    (other,) = (make for name, make in OWN.items() if name != part)
    assert refused(folder, "is not the one that the run was made with", assemble=other)
    assert len(resume_folder(folder, assemble=OWN[part])) == 3


@pytest.mark.parametrize("part", OWN)
def test_checkpoints_know_the_part_without_the_record(interrupted, tmp_path, part):
    folder = shutil.copytree(interrupted / part, tmp_path / "run")
    (folder / "own_parts.json").unlink()
    assert refused(folder, f"run: {PARTS[part]} is not the one that the run was made with: resume")


@pytest.mark.parametrize("part", OWN)
def test_a_run_of_built_in_parts_continues_with_no_others(interrupted, tmp_path, part):
    folder = shutil.copytree(interrupted / "built_in", tmp_path / "run")
    said = f"run: {PARTS[part]} is not the one that the run was made with: resume"
    assert refused(folder, said, assemble=OWN[part])


def test_the_command_line_refuses_it_in_one_line(interrupted, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["improve", "--resume", str(interrupted / "verifier")])
    assert capsys.readouterr().err == (
        f"jaxgap: {interrupted / 'verifier'}: its verifier is not the one that the run was made "
        "with ('test_own_parts.Shortest'): resume it from Python with the same verifier and task, "
        "or start a new run\n"
    )


def test_a_run_without_a_checkpoint_yet_begins_with_no_other_part(interrupted, tmp_path):
    folder = shutil.copytree(interrupted / "verifier", tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    assert refused(folder, "its verifier is not the one that the run was made with")


def without_parts_in_origin(folder):
    """Let a run have been made before the names of its parts were kept."""
    for path in (folder / "checkpoints").glob("*/_CHECKPOINT_METADATA"):
        metadata = json.loads(path.read_text())
        record = metadata["custom_metadata"]
        del record["seal"]
        for part in PARTS.values():
            del record["origin"][part]
        record["seal"] = json_digest(record)
        path.write_text(json.dumps(metadata))
    (folder / "own_parts.json").unlink(missing_ok=True)
    return folder


@pytest.mark.parametrize("name", ["built_in", "verifier"])
def test_a_run_of_a_version_that_kept_no_names_continues(interrupted, tmp_path, name):
    folder = without_parts_in_origin(shutil.copytree(interrupted / name, tmp_path / "run"))
    assert len(resume_folder(folder, assemble=OWN.get(name, assemble))) == 3
    assert (folder / "own_parts.json").exists() == (name in OWN)


@pytest.mark.parametrize("part", OWN)
def test_its_record_and_its_table_name_the_part(interrupted, tmp_path, part):
    folder = shutil.copytree(interrupted / part, tmp_path / "run")
    assert json.loads((folder / "own_parts.json").read_text()) == {part: NAMES[part]}
    resume_folder(folder, assemble=OWN[part])
    settings = dataclasses.asdict(RunFolder.reopen(folder).config)
    recorded = read_csv(folder / "trajectory.csv").provenance
    assert recorded == {"program": "jaxgap improve", **settings, part: NAMES[part]}


def test_a_run_of_built_in_parts_records_none(interrupted):
    assert not (interrupted / "built_in" / "own_parts.json").exists()


def test_runs_with_different_verifiers_are_no_seeds_of_one_experiment(interrupted, tmp_path):
    row = json.loads((interrupted / "built_in" / "metrics.jsonl").read_text().splitlines()[0])
    for seed, own in enumerate(({}, {"verifier": "a.B"}, {"verifier": "a.B"}, {"task": "a.B"})):
        folder = empty_folder(tmp_path / str(seed))
        run = RunFolder.create(folder, dataclasses.replace(CONFIG, seed=seed), own)
        for t in range(3):
            run.add(RoundMetrics.from_row(row | {"t": t}))
    runs = read_runs(sorted(tmp_path.iterdir())).runs
    (seeds,) = group_seeds(runs).groups.values()
    assert [runs[index].run.provenance["seed"] for index in seeds] == [1, 2]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object with verifier or task"),
        ('{"model": "a.B"}', "must be a JSON object with verifier or task"),
        ('{"verifier": 1}', "the names of parts must be strings"),
    ],
)
def test_a_record_from_a_stranger_is_checked(interrupted, tmp_path, text, complaint):
    folder = shutil.copytree(interrupted / "verifier", tmp_path / "run")
    (folder / "own_parts.json").write_text(text)
    assert refused(folder, rf"own_parts\.json: {complaint}", assemble=with_shortest)
