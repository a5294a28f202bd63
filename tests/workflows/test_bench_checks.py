"""What of a bench is refused before its first run begins."""

import pytest

from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.run_lock import locked
from jaxgap.workflows.bench import run_bench
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
    with pytest.raises(InputError, match="file is a file: name a folder by --out"):
        run_bench(grid, file)
    other = tmp_path / "bench" / "random"
    other.mkdir(parents=True)
    (other / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="random is not empty"):
        run_bench(grid, tmp_path / "bench")
    assert not (tmp_path / "bench" / "majority").exists()


def test_a_bench_beside_another_on_the_same_folder(tmp_path):
    run = tmp_path / "bench" / "random"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    with locked(run), pytest.raises(InputError, match="random is in use by another process"):
        run_bench(Grid(BASE, verifiers=("majority", "random")), tmp_path / "bench")
    assert not (tmp_path / "bench" / "majority").exists()
