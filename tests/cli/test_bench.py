"""`jaxgap bench` as a user meets it: its tables, its files, and runs that fail."""

import json

import pytest

from jaxgap.cli.main import run_command
from jaxgap.errors import InputError
from jaxgap.improve import ImproveConfig, assemble
from jaxgap.improve.runs.new_run_folder import empty_folder
from jaxgap.improve.runs.run_folder import RunFolder

SIZES = {"num-rounds": 2, "num-train-prompts": 8, "num-held-out-prompts": 6, "num-candidates": 2}
VARIED = ("--models", "--tasks", "--verifiers", "--candidate-counts", "--thresholds", "--seeds")


def argv(folder, *varied):
    """The command with the smallest runs there are."""
    sizes = [word for name, size in SIZES.items() for word in (f"--{name}", str(size))]
    return ["bench", "--out", str(folder), *sizes, "--batch-size", "4", *varied]


@pytest.mark.slow
def test_a_failed_run_is_named_with_status_1_and_the_same_command_tries_it_again(
    tmp_path, monkeypatch, capsys
):
    def only_seed_0(config):
        if config.seed == 1:
            raise InputError("a prompt has 9 tokens, and the model's context is 8")
        return assemble(config)

    command = argv(tmp_path / "bench", "--verifier", "majority", "--seeds", "0", "1")
    with monkeypatch.context() as patched:
        patched.setattr("jaxgap.workflows.bench.assemble", only_seed_0)
        with pytest.raises(SystemExit, match="1"):
            run_command(command)
    captured = capsys.readouterr()
    assert captured.err == (
        "jaxgap: 1 of 2 runs failed; rerun the command to try them again: seed1: a prompt has 9 "
        "tokens, and the model's context is 8\n"
    )
    assert captured.out.count("seed1 failed: a prompt has 9 tokens") == 2  # at once, and at the end
    found = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert [run["run"] for run in found["runs"]] == ["seed0"]
    assert [run["run"] for run in found["failed"]] == ["seed1"]
    assert not found["settings"]

    run_command(command)
    said = capsys.readouterr().out
    assert "seed1 failed" not in said
    assert "…" not in said  # nothing was cut in 80 columns
    assert said.count("run (n=2)") == 2
    found = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert [run["run"] for run in found["runs"]] == ["seed0", "seed1"]
    assert found["settings"][0]["seeds"] == [0, 1]
    assert (tmp_path / "bench" / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("varied", "said"),
    [
        *((option, f"{option} needs at least one value") for option in VARIED),
        ("--seeds 0 1 0", "--seeds: 0 is given twice; give each value once"),
        ("--thresholds .5 0.50", "--thresholds: 0.5 is given twice; give each value once"),
        ("--models embedded embedded", "--models: embedded is given twice; give each value once"),
    ],
)
def test_what_is_varied_needs_different_values(tmp_path, capsys, varied, said):
    with pytest.raises(SystemExit, match="2"):
        run_command(
            ["bench", "--out", str(tmp_path / "bench"), "--num-rounds", "2", *varied.split()]
        )
    assert capsys.readouterr().err == f"jaxgap: {said}\n"
    assert not (tmp_path / "bench").exists()


def test_a_folder_that_is_a_run_is_left_alone(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="2"):
        run_command(argv(tmp_path))
    assert capsys.readouterr().err == (
        f"jaxgap: {tmp_path} already contains a run: resume it with jaxgap improve --resume "
        f"{tmp_path}\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_model_that_is_nowhere_is_refused_with_status_2(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(argv(tmp_path / "bench", "--models", "embedded", "typo"))
    assert "typo: no such folder or file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("several", "one"),
    [
        (("--verifiers", "majority", "random"), ("--verifier", "exact")),
        (("--seeds", "0", "1"), ("--seed", "0")),  # the default
        (("--candidate_counts", "2", "4"), ("--num_candidates=2",)),
    ],
)
def test_one_value_and_several_of_a_setting_contradict_each_other(tmp_path, capsys, several, one):
    with pytest.raises(SystemExit, match="2"):
        run_command(["bench", "--out", str(tmp_path / "bench"), *several, *one])
    options = [words[0].partition("=")[0].replace("_", "-") for words in (several, one)]
    said = f"give {options[0]}, which may be a single one, or {options[1]}, not both"
    assert capsys.readouterr().err == f"jaxgap: {said}\n"
    assert not (tmp_path / "bench").exists()


def test_a_run_with_other_settings_is_refused_by_the_option_that_changed(tmp_path, capsys):
    begun = ImproveConfig(num_rounds=3).resolved()
    RunFolder.create(empty_folder(tmp_path / "run"), begun)
    with pytest.raises(SystemExit, match="2"):
        run_command(["bench", "--out", str(tmp_path), "--num-rounds", "4"])
    said = f"jaxgap: {tmp_path}/run contains a run with --num-rounds=3, not 4: use another folder\n"
    assert capsys.readouterr().err == said


def test_an_interruption_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt("interrupted")

    monkeypatch.setattr("jaxgap.workflows.bench.run_bench", interrupted)
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; rerun the command to resume$"):
        run_command(argv(tmp_path / "bench"))
