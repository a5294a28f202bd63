"""The command line: one clear line and status 2 for a mistake, strict JSON for a result."""

import importlib.metadata
import json
import subprocess
import sys

import numpy as np
import pytest

from jaxgap.cli.main import run_command
from jaxgap.errors import RunError
from jaxgap.fitting import load_result
from jaxgap.trajectory import Trajectory, write_csv


@pytest.fixture
def run_file(tmp_path):
    ts = np.arange(12.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 12))
    run = Trajectory(
        ts, 1 + 3 * np.exp(-0.4 * ts) + noise[0], 0.8 + 1.2 * np.exp(-0.4 * ts) + noise[1]
    )
    write_csv(run, tmp_path / "run.csv")
    return tmp_path / "run.csv"


def fails(argv, capsys):
    """The one line on stderr of a command that must end with status 2."""
    with pytest.raises(SystemExit, match="2") as stop:
        run_command(argv)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("jaxgap: ")
    return captured.err


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("model", ["linear", pytest.param("power", marks=pytest.mark.slow)])
def test_fit_writes_the_public_json_and_a_picture(run_file, tmp_path, capsys, model):
    out, plot = tmp_path / "fit.json", tmp_path / "fit.png"
    outputs = ["--json", str(out), "--plot", str(plot), "--save", str(tmp_path / "saved.json")]
    run_command(["fit", str(run_file), "--model", model, *outputs])
    assert "solver's limit is" in capsys.readouterr().out
    result = strict(out.read_text())
    assert load_result(tmp_path / "saved.json").to_dict() == result
    names = {"rate", "ratio", "gap_limit", "solver_initial", "verifier_initial"}
    assert names <= set(result["parameters"])
    assert set(result["limits"]) == set(result["r2"]) == {"solver", "verifier", "gap"}
    for value in (*result["parameters"].values(), *result["limits"].values()):
        assert {"estimate", "stderr", "interval"} <= set(value)
        assert "reason" in value or None not in (value["estimate"], value["stderr"])
    assert result["num_points"] == 12
    assert result["converged"] is True
    assert result["level"] == 0.9
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_what_does_not_apply_is_null_beside_a_reason(tmp_path):
    path = tmp_path / "solver.csv"
    path.write_text("t,solver\n0,0.2\n1,0.5\n2,0.6\n3,0.66\n4,0.68\n")
    run_command(
        ["fit", str(path), "--kind", "accuracy", "--num-items", "500", "--json", f"{path}.fit"]
    )
    result = strict((tmp_path / "solver.csv.fit").read_text())
    for value in (result["parameters"]["ratio"], result["limits"]["gap"]):
        assert value["estimate"] is value["stderr"] is value["interval"] is None
        assert "no verifier" in value["reason"]
    assert 0.6 < result["limits"]["solver"]["estimate"] < 0.8
    assert result["r2"]["verifier"] is result["r2"]["gap"] is None
    assert result["r2"]["reason"].startswith("verifier and gap: not measured")


def test_columns_of_another_tool(tmp_path, capsys):
    path = tmp_path / "log.csv"
    rows = "".join(f"{t},{3 + 2**-t},{1 + 2**-t / 2}\n" for t in range(12))
    path.write_text("step,eval/nll,eval/best\n" + rows)
    columns = "t=step,solver=eval/nll,verifier=eval/best"
    run_command(["fit", str(path), "--columns", columns, "--time-unit", "step"])
    assert "limit is 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["fit", "{tmp}/none.csv"], "none.csv: no such file"),
        (["fit", "{tmp}/bad.csv"], "bad.csv:3: column 'solver': must be a number, got 'x'"),
        (["fit", "{run}", "--json", "{tmp}/no/fit.json"], "there is no folder"),
        (["fit", "{run}", "--plot", "{tmp}"], "is a folder"),
        (["fit", "{run}", "--plot", "{tmp}/a.pdf"], r"a.pdf: plots are written as PNG; name it"),
        (["fit", "{run}", "--save", "{tmp}/no/fit.json"], "there is no folder"),
        (["fit", "{run}", "--level", "1.5"], "jaxgap: --level must lie between 0 and 1, got 1.5"),
        (["fit", "{run}", "--model", "cubic"], "linear"),
        (["fit", "{run}", "--columns", "solver"], "must look like t=step,solver=eval/nll"),
        (
            ["fit", "{run}", "--num-items", "7"],
            "run.csv: num_items only goes with kind 'accuracy'",
        ),
        (["report", "{tmp}/none"], "none: no such folder"),
        (["report", "{tmp}"], "has no trajectory.csv"),
        (["improve", "--out", "{tmp}"], "is not empty"),
        (["improve", "--out", "{tmp}/new", "--threshold", "2"], "threshold must be"),
        (["improve"], "out"),
        (["demolish"], "demolish"),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(argv, said, run_file, tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("t,solver\n0,1\n1,x\n2,3\n")
    before = sorted(tmp_path.iterdir())
    line = fails([part.format(tmp=tmp_path, run=run_file) for part in argv], capsys)
    assert said in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ("improve --out {new} --threshold 2", "--threshold must be between 0 and 1, got 2.0"),
        ("improve --out {new} --num_rounds=0", "--num_rounds must be at least 1, got 0"),
        ("improve --out {new} --mesh data=0",
         "a mesh must look like data=2,fsdp=2,tensor=2, each at least 1, got 'data=0'"),
        ("bench --out {new} --num-candidates 0 --seeds 1 2",
         "--num-candidates must be at least 1, got 0"),
        ("bench --out {new} --candidate-counts 2 0",
         "--candidate-counts must be at least 1, got 0"),
        ("bench --out {new} --thresholds 2", "--thresholds must be between 0 and 1, got 2.0"),
        ("bench --out {new} --seeds=-1", "--seeds must be between 0 and 2**32 - 1, got -1"),
        ("bench --out {new} --tasks nosuch",
         "--tasks must be addition with the embedded model, got 'nosuch'"),
        # The setting to change was not given: its default conflicts with what was.
        ("bench --out {new} --num-train-prompts 3",
         "--batch-size must be at most --num-train-prompts=3, got 64"),
        ("plan --model any --topology v5e:2x2 --rows 0", "--rows must be at least 1, got 0"),
        ("plan --model any --topology v5e:2x2 --lora-rank high",
         "--lora-rank takes a whole number, got 'high'; see jaxgap plan --help"),
        ("fit a.csv --window 1", "--window takes two numbers, got '1'; see jaxgap fit --help"),
        ("fit a.csv --window", "--window takes two numbers, got none; see jaxgap fit --help"),
        ("fit a.csv --window 0 INT 2",
         "--window takes two numbers, got '0' 'INT' '2'; see jaxgap fit --help"),
        ("fit --level=INT a.csv", "--level takes a number, got 'INT'; see jaxgap fit --help"),
        ("fit a.csv --num_items 1.5",
         "--num-items takes a whole number, got '1.5'; see jaxgap fit --help"),
        ("watch {new} --cost abc", "--cost takes a number, got 'abc'; see jaxgap watch --help"),
        ("export {new} --out {new}2 --round abc",
         "--round takes a whole number, got 'abc'; see jaxgap export --help"),
        ("forecast --seed abc a.csv --horizon 9",
         "--seed takes a whole number, got 'abc'; see jaxgap forecast --help"),
        ("bench --out {new} --seeds 1 a",
         "--seeds takes whole numbers, got '1' 'a'; see jaxgap bench --help"),
        ("bench --out {new} --thresholds a",
         "--thresholds takes numbers, got 'a'; see jaxgap bench --help"),
        ("backtest {new} --prefix a",
         "--prefix takes numbers, got 'a'; see jaxgap backtest --help"),
        ("fit a.csv --nosuch", "Unrecognized options: --nosuch; see jaxgap fit --help"),
        ("nosuch",
         "Unrecognized options: nosuch; Available subcommands: demo, improve, watch, fit, "
         "forecast, backtest, compare, bench, report, export, schedule, plan; see jaxgap --help"),
    ],
)  # fmt: skip
def test_a_value_that_an_option_cannot_have_is_refused_by_its_name(argv, said, tmp_path, capsys):
    line = fails(argv.format(new=tmp_path / "new").split(), capsys)
    assert line == f"jaxgap: {said}\n"


def test_ctrl_c_ends_in_one_line_without_a_traceback():
    program = (
        "import os, signal, sys\n"
        "import jaxgap.cli.main as module\n"
        "from jaxgap.__main__ import main\n"
        "def interrupt():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "module.run_command = interrupt\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "jaxgap: interrupted\n")


def test_ctrl_c_while_python_winds_up_is_one_line():
    program = (
        "import atexit, os, signal, time\n"
        "import jaxgap.cli.main as module\n"
        "from jaxgap.__main__ import main\n"
        "def interrupt():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(1)\n"
        "module.run_command = lambda: atexit.register(interrupt)\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "jaxgap: interrupted\n")


@pytest.mark.parametrize(
    "caught", ["", "try:\n    os.kill(os.getpid(), 2)\nexcept BaseException: 0"]
)
def test_ctrl_c_amid_an_import_is_neither_swallowed_nor_a_traceback(tmp_path, caught):
    module = "import os\n" + (caught or "os.kill(os.getpid(), 2)") + "\n"
    (tmp_path / "interrupted.py").write_text(module)
    program = (
        "import sys\n"
        "from jaxgap.cli.signals import take_interrupts\n"
        "take_interrupts()\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import interrupted\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "jaxgap: interrupted\n")


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from jaxgap.cli.main import run_command\n"
        "try:\n"
        "    run_command(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print(sorted({'jax', 'flax', 'matplotlib', 'diffrax'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(36, "File name too long", "a\n\x1b[31mb"), "a\\n\\x1b[31mb: File name too long"),
        (OSError("cannot seek\non a pipe"), "cannot seek\\non a pipe"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_the_system_refuses_is_one_printable_line(error, line, capsys, monkeypatch):
    def fail(argv):
        raise error

    monkeypatch.setattr("jaxgap.cli.main._parse", fail)
    assert fails(["fit", "x.csv"], capsys) == f"jaxgap: {line}\n"


def test_what_a_run_advises_in_python_is_said_in_options(capsys, monkeypatch):
    def fail(argv):
        raise RunError("begin anew with a lower `microbatch_size`, or with `remat=True`")

    monkeypatch.setattr("jaxgap.cli.main._parse", fail)
    with pytest.raises(SystemExit, match="1"):
        run_command(["improve"])
    said = capsys.readouterr().err
    assert said == "jaxgap: begin anew with a lower --microbatch-size, or with --remat\n"


@pytest.mark.parametrize("command", ["improve", "demo"])
def test_a_folder_with_a_run_is_resumed_by_a_command_that_can(tmp_path, capsys, command):
    (tmp_path / "config.json").write_text("{}")
    said = fails([command, "--out", str(tmp_path)], capsys)
    advice = f"resume it with jaxgap improve --resume {tmp_path}"
    assert said == f"jaxgap: {tmp_path} already contains a run: {advice}\n"


def test_a_warning_of_a_fit_names_an_option(tmp_path, capsys):
    ts = np.arange(12.0)
    scales = np.array([[0.05], [0.005]])
    noise = np.random.default_rng(0).standard_normal((2, 12)) * scales
    curves = np.array([[1.0], [0.8]]) + np.array([[3.0], [1.2]]) * np.exp(-0.4 * ts) + noise
    write_csv(Trajectory(ts, *curves), tmp_path / "run.csv")
    run_command(["fit", str(tmp_path / "run.csv")])
    said = " ".join(capsys.readouterr().out.split())
    assert "give each series its own (jaxgap fit --noise per-series, or" in said


COMMANDS = "backtest bench compare demo export fit forecast improve plan report schedule watch"


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        run_command([command, "--help"])
    said = capsys.readouterr().out
    assert len(said) > 300
    assert "**" not in said  # sections of docstrings are for those who read the code


def test_the_version_is_that_of_the_package(capsys):
    run_command(["--version"])
    assert capsys.readouterr().out == f"jaxgap {importlib.metadata.version('jaxgap')}\n"
    with pytest.raises(SystemExit, match="0"):
        run_command(["--help"])
    assert "--version" in capsys.readouterr().out


def test_fit_takes_noise_constraints_and_a_window(run_file, tmp_path, capsys):
    out = tmp_path / "fit.json"
    options = ["--fix", "gap_limit=0", "--bound", "rate=0,1", "--window", "1", "10"]
    run_command(["fit", str(run_file), "--noise", "student-t", *options, "--json", str(out)])
    assert "solver's limit is" in capsys.readouterr().out
    result = strict(out.read_text())
    assert result["num_points"] == 10
    assert result["parameters"]["gap_limit"]["estimate"] == 0.0
    assert "held at a given value" in result["parameters"]["gap_limit"]["reason"]
    assert 0 < result["parameters"]["rate"]["interval"][1] <= 1


EVERY = ("rate", "ratio", "gap_limit", "solver_initial", "verifier_initial")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fix", "rate"], "--fix rate: must look like NAME=VALUE"),
        (["--fix", "rate=fast"], "--fix rate=fast: must look like NAME=VALUE"),
        (["--bound", "rate=1"], "--bound rate=1: must look like NAME=LOW,HIGH"),
        (["--fix", "rate=1", "--bound", "rate=0,1"], "rate is fixed or bounded twice"),
        (["--fix", "speed=1"], "the law has no parameter 'speed'"),
        (["--fix", "rate=nan"], "rate cannot be held at nan"),
        (
            [part for name in EVERY for part in ("--fix", f"{name}=0.5")],
            "all parameters are held or tied, so none is left to fit",
        ),
        (["--noise", "binomial"], "binomial noise needs accuracies"),
        (["--noise", "given"], "in the columns solver_se and verifier_se: the trajectory has none"),
        (["--window", "3", "4"], "2 of 12 rows lie between the times 3 and 4"),
        (["--model", "auto", "--fix", "rate=1"], "apply to a single law: choose it with --model"),
    ],
)
def test_fit_options_that_cannot_be_are_one_line(run_file, capsys, options, message):
    assert message in fails(["fit", str(run_file), *options], capsys)


def test_a_file_that_is_too_long_is_named(tmp_path, capsys):
    path = tmp_path / "long.csv"
    path.write_text("t,solver\n" + "".join(f"{t},{1 + 1 / (1 + t)}\n" for t in range(50_001)))
    for command in (["fit", str(path)], ["forecast", str(path), "--horizon", "60000"]):
        assert f"{path}: 50001 rows; at most 50000 can be fitted" in fails(command, capsys)
