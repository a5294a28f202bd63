"""A run is resumed from any working folder, since its paths are stored absolute."""

import dataclasses
import json

import pytest

from jaxgap.improve import ImproveConfig, assembly, improve_to_folder, resume_folder
from jaxgap.improve.runs.stored_paths import with_absolute_paths

CONFIG = ImproveConfig(
    num_rounds=1,
    num_train_prompts=8,
    num_held_out_prompts=6,
    num_candidates=2,
    batch_size=4,
    prompts_per_call=8,
)


def test_paths_that_exist_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("model", "embedded"):
        (tmp_path / name).mkdir()
    for name in ("file", "responses"):
        (tmp_path / name).touch()
    ours = with_absolute_paths(ImproveConfig("model", "gsm8k:file", external="./responses"))
    assert ours.model == f"{tmp_path}/model"
    assert ours.task == f"gsm8k:{tmp_path}/file"
    assert ours.external == f"{tmp_path}/responses"
    assert with_absolute_paths(ours) == ours
    for names in (ImproveConfig(), ImproveConfig("owner/name", "gsm8k:nothing", external="nor")):
        assert with_absolute_paths(names) == names


@pytest.mark.parametrize("stored_as_typed", [False, True])
def test_a_run_is_resumed_from_another_folder(tmp_path, monkeypatch, stored_as_typed):
    """As a run whose path was stored as it was typed, once it was resumed where it began."""
    problems = assembly.assemble(CONFIG)[0].split.train
    rows = [json.dumps({"prompt": each.text, "response": "22"}) for each in problems]
    (tmp_path / "responses").write_text("\n".join(rows))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    improve_to_folder(dataclasses.replace(CONFIG, external="responses"), "run")
    settings = tmp_path / "run" / "config.json"
    if stored_as_typed:
        settings.write_text(settings.read_text().replace(f"{tmp_path}/responses", "responses"))
        assert len(resume_folder("run")) == 2
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(resume_folder("../run", more_rounds=1)) == 3
    assert json.loads(settings.read_text())["external"] == f"{tmp_path}/responses"
