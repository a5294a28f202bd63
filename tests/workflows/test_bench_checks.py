"""What of a bench is refused before its first run begins."""

import dataclasses
import errno
import json

import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.runs.new_run_folder import empty_folder
from jaxgap.improve.runs.own_parts import NO_OWN_PARTS
from jaxgap.improve.runs.run_folder import RunFolder
from jaxgap.improve.runs.run_lock import locked
from jaxgap.improve.runs.stored_paths import with_absolute_paths
from jaxgap.workflows.bench import run_bench
from jaxgap.workflows.bench_checks import check_runs
from jaxgap.workflows.bench_grid import Grid

BASE = ImproveConfig(
    num_rounds=2, num_train_prompts=8, num_held_out_prompts=6, num_candidates=2, batch_size=4
)


def refused(models, folder, said):
    """Whether a bench of these models beside the embedded one ends before it begins."""
    with pytest.raises(InputError, match=said):
        run_bench(Grid(BASE, models=("embedded", *models)), folder)
    return not folder.exists()


@pytest.mark.parametrize("name", ["typo", "typo.gguf", "two/typo.gguf", "three/deep/typo"])
def test_a_model_that_is_nowhere(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert refused([name], tmp_path / "bench", f"^{name}: no such folder or file, and no name")


def test_a_path_that_is_nowhere(tmp_path):
    assert refused(["/typo"], tmp_path / "bench", "^/typo: no such folder or file")


def test_a_folder_without_a_model(tmp_path):
    (tmp_path / "model").mkdir()
    assert refused([str(tmp_path / "model")], tmp_path / "bench", r"config\.json")


def test_a_name_that_the_hub_does_not_know(tmp_path, monkeypatch):
    def download(name, revision):
        raise InputError(f"{name}: cannot be fetched")

    monkeypatch.setattr("jaxgap.models.load.download", download)
    assert refused(["owner/typo"], tmp_path / "bench", "^owner/typo: cannot be fetched")


def test_folders_that_cannot_hold_the_runs(tmp_path):
    grid = Grid(BASE, verifiers=("majority", "random"))
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="file is a file: use a folder"):
        run_bench(grid, file)
    other = tmp_path / "bench" / "random"
    other.mkdir(parents=True)
    (other / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="random is not empty"):
        run_bench(grid, tmp_path / "bench")
    assert not (tmp_path / "bench" / "majority").exists()


def test_a_folder_that_is_a_run(tmp_path):
    begin(tmp_path / "run", BASE)
    before = sorted((tmp_path / "run").iterdir())
    with pytest.raises(InputError, match=r"run already contains a run: resume it with"):
        run_bench(Grid(BASE), tmp_path / "run")
    assert sorted((tmp_path / "run").iterdir()) == before


def test_a_bench_beside_another_on_the_same_folder(tmp_path):
    run = tmp_path / "bench" / "random"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    with locked(run), pytest.raises(InputError, match="random is in use by another process"):
        run_bench(Grid(BASE, verifiers=("majority", "random")), tmp_path / "bench")
    assert not (tmp_path / "bench" / "majority").exists()


def begin(folder, config, own_parts=NO_OWN_PARTS):
    RunFolder.create(empty_folder(folder), with_absolute_paths(config.resolved()), own_parts)
    return folder


@pytest.mark.parametrize("own", [{"verifier": "mine.Shortest"}, {"task": "mine.Lenient"}])
def test_a_run_with_parts_of_ones_own_is_not_taken_for_one_of_the_grid(tmp_path, own):
    run = begin(tmp_path / "run", BASE, own)
    configs = {"other": BASE.resolved()}
    assert check_runs(configs, tmp_path) == {"other": tmp_path / "other"}
    ((part, name),) = own.items()
    with pytest.raises(InputError, match=f"run with the {part} '{name}', passed from Python: use"):
        check_runs({"run": BASE.resolved()}, tmp_path)
    assert json.loads((run / "own_parts.json").read_text()) == own


def test_an_interrupted_bench_that_is_enlarged_continues_its_runs(tmp_path):
    run = begin(tmp_path / "run", dataclasses.replace(BASE, verifier="majority"))
    assert not (tmp_path / "bench.json").exists()  # it is written at the end
    larger = Grid(BASE, verifiers=("random", "majority"), seeds=(0, 1)).configs()
    places = {name: tmp_path / name for name in larger}
    assert check_runs(larger, tmp_path) == places | {"majority-seed0": run}


def test_a_new_run_does_not_take_the_place_of_one_begun_under_its_name(tmp_path, monkeypatch):
    """Models in folders of the same name, of which a new one comes first."""
    monkeypatch.setattr("jaxgap.workflows.bench_checks._check_model", lambda source: None)
    new, *old = (str(tmp_path / path) for path in ("c/m", "a/m", "b/m"))
    bench = tmp_path / "bench"
    before = Grid(BASE, models=tuple(old)).configs()
    begun = {config.model: begin(bench / name, config) for name, config in before.items()}
    larger = Grid(BASE, models=(new, *old)).configs()
    places = check_runs(larger, bench)
    found = {larger[name].model: place for name, place in places.items()}
    assert found == begun | {new: bench / "m++"}


@pytest.mark.parametrize(
    ("compared", "copies", "continued"),
    [
        (["b"], ["a", "seed0"], "b"),  # no grid may leave out what was compared
        ([], ["a", "seed0"], "seed0"),
        ([], ["a", "b"], "a"),
    ],
)
def test_of_several_copies_of_a_run_one_continues(tmp_path, compared, copies, continued):
    for name in (*copies, *compared):
        begin(tmp_path / name, BASE)
    table = {"runs": [{"run": name} for name in compared]}
    (tmp_path / "bench.json").write_text(json.dumps(table))
    places = check_runs({"seed0": BASE.resolved()}, tmp_path)
    assert places == {"seed0": tmp_path / continued}


def test_a_model_beside_the_runs_is_no_run_unless_it_is_in_their_place(tmp_path):
    for name in ("model", "seed1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"model_type": "llama"}')
    config = BASE.resolved()
    assert check_runs({"seed0": config}, tmp_path) == {"seed0": tmp_path / "seed0"}
    with pytest.raises(InputError, match=r"seed1/config\.json: unknown setting 'model_type'"):
        check_runs({"seed1": config}, tmp_path)


def test_a_path_is_that_of_a_run_however_it_is_spelt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "responses").touch()
    given = dataclasses.replace(BASE, external="responses").resolved()
    bench = tmp_path / "bench"
    run = begin(bench / "run", given)
    assert check_runs({"run": given}, bench) == {"run": run}
    assert check_runs({"other": given}, bench) == {"other": run}
    with pytest.raises(
        InputError, match=f'`external`="{tmp_path}/responses", not "{tmp_path}/bench'
    ):
        check_runs({"run": dataclasses.replace(given, external="bench")}, bench)


def written(folder, text):
    folder.mkdir()
    (folder / "bench.json").write_text(text)
    return folder


def test_runs_that_an_earlier_bench_compared_are_not_left_out_unsaid(tmp_path):
    names = ["a", "random", "b", "c", "d"]
    earlier = json.dumps({"runs": [{"run": name} for name in names]})
    folder = written(tmp_path / "bench", earlier)
    said = r"bench\.json compares runs that this grid leaves out \(a, b, c and 1 more\): include"
    with pytest.raises(InputError, match=said):
        run_bench(Grid(BASE, verifiers=("majority", "random")), folder)
    assert [path.name for path in folder.iterdir()] == ["bench.json"]
    assert (folder / "bench.json").read_text() == earlier


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"runs": [1]}', '{"runs": [{"run": 1}]}', '{"runs": [{"run": "../a"}]}'],
)
def test_what_no_bench_wrote_is_not_replaced(tmp_path, text):
    folder = written(tmp_path / "bench", text)
    with pytest.raises(InputError, match=r"bench\.json was not written by jaxgap bench: move it"):
        run_bench(Grid(BASE), folder)
    assert (folder / "bench.json").read_text() == text


@pytest.mark.parametrize("name", ["bench.json", "bench.png"])
def test_a_folder_in_the_place_of_a_result(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"{name} is a folder, but the bench writes a file there"):
        run_bench(Grid(BASE), tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_or_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/bench: nothing can be written there \(Not a dir"):
        run_bench(Grid(BASE), tmp_path / "file" / "bench")

    def refuse(dir):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"nothing can be written there \(Read-only file system\)"):
        run_bench(Grid(BASE), tmp_path / "bench")
    assert not (tmp_path / "bench" / "run").exists()
