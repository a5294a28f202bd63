"""Standard output that is closed, full, deaf to Unicode, or has lost its reader; hostile names."""

import io
import json
import os
import subprocess
import sys

import pytest
from rich.table import Table
from rich.text import Text

from jaxgap.__main__ import main
from jaxgap.cli import signals
from jaxgap.cli.main import run_command
from jaxgap.cli.terminal import Terminal

CURVE = "t,solver\n" + "".join(f"{t},{1 + 2**-t}\n" for t in range(8))


@pytest.fixture
def curve(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text(CURVE)
    return path


def jaxgap(*argv, shell="", **environment):
    """A command of its own process, and what the shell does with its output."""
    line = f'"{sys.executable}" -m jaxgap "$@" {shell}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}", "bash", *map(str, argv)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        errors="replace",
    )


@pytest.mark.slow
def test_a_reader_that_has_gone_costs_no_file(curve, tmp_path):
    out, plot = tmp_path / "fit.json", tmp_path / "fit.png"
    done = jaxgap("fit", curve, "--json", out, "--plot", plot, shell="| true")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(out.read_text())["num_points"] == 8
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_stream_that_cannot_spell_all_words_gets_the_others(curve, tmp_path):
    out = tmp_path / "fit.json"
    done = jaxgap("fit", curve, "--json", out, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "limit is 1" in done.stdout
    assert out.exists()


def test_a_closed_output_is_no_mistake(curve, tmp_path):
    out = tmp_path / "fit.json"
    done = jaxgap("fit", curve, "--json", out, shell=">&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert out.exists()


def test_a_full_output_is_one_line(curve):
    done = jaxgap("fit", curve, shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "jaxgap: No space left on device\n"


@pytest.mark.parametrize(
    ("option", "beginning"),
    [("--json", b'{\n  "'), ("--save", b'{"format": "jaxgap fit"'), ("--plot", b"\x89PNG")],
)
def test_results_go_through_pipes_and_links(curve, tmp_path, capsys, option, beginning):
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "target"))
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    run_command(["fit", str(curve), option, str(pipe)])
    assert pipe.is_fifo()
    link.symlink_to(target)
    run_command(["fit", str(curve), option, str(link)])
    assert link.is_symlink()
    assert target.read_bytes().startswith(beginning)
    assert reader.communicate(timeout=60)[0] == target.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--json", "{run}"], "is one of the files read"),
        (["--plot", "{run}.json"], "is one of the files read"),
        (["--json", "{tmp}/x", "--plot", "{tmp}/x"], "--json and --plot name the same file"),
    ],
)
def test_outputs_that_would_destroy_something_are_refused(curve, tmp_path, capsys, options, said):
    argv = [part.format(run=curve, tmp=tmp_path) for part in options]
    with pytest.raises(SystemExit, match="2"):
        run_command(["fit", str(curve), *argv])
    assert said in capsys.readouterr().err
    assert curve.read_text() == CURVE


@pytest.mark.parametrize("unit", ["[/x]", "[red]", "$^{$", ":bomb:"])
def test_text_from_outside_is_shown_as_it_is(curve, tmp_path, capsys, unit):
    argv = [str(curve), "--time-unit", unit]
    run_command(["fit", *argv, "--plot", str(tmp_path / "fit.png")])
    run_command(["forecast", *argv, "--horizon", "10"])
    assert f"10 {unit}s" in capsys.readouterr().out


def test_names_of_runs_are_drawn_as_they_are(tmp_path, capsys):
    files = [tmp_path / "$^{$.csv", tmp_path / "b[red].csv"]
    for file in files:
        file.write_text(CURVE)
    run_command(["compare", *map(str, files), "--plot", str(tmp_path / "plot.png")])
    assert "b[red]" in capsys.readouterr().out
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


HOSTILE = "a\x1b[31m\x9b2J\x07\x08\x7fb"


def test_control_characters_reach_no_terminal():
    terminal = Terminal(file=io.StringIO(), width=60)
    table = Table(title=HOSTILE)
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    terminal.print(HOSTILE, Text.assemble((HOSTILE, "bold"), f" {HOSTILE}"), table)
    terminal.print_line(HOSTILE)
    said = terminal.file.getvalue()
    assert said.count("[31m") == 7
    assert all(line.isprintable() for line in said.splitlines())


def test_the_name_of_a_run_in_a_cell_is_one_line(tmp_path, capsys):
    rows = "".join(f'"{name}",{t},{1 + 2**-t}\n' for name in ("a\nb\x1b", "c") for t in range(8))
    (tmp_path / "log.csv").write_text("run,t,solver\n" + rows)
    plot = tmp_path / "plot.png"
    run_command(["compare", str(tmp_path / "log.csv"), "--plot", str(plot)])
    assert "a\\nb\\x1b" in capsys.readouterr().out
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_line_to_copy_is_never_broken():
    terminal = Terminal(file=io.StringIO(), width=20)
    terminal.print_line("Wrote " + "a/" * 50)
    assert terminal.file.getvalue() == "Wrote " + "a/" * 50 + "\n"


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["fit", "x.csv", "--modle", "linear"], "options: --modle, linear; perhaps --model"),
        (["fit", "x.csv", "--level", "abc"], "--level takes a number, got 'abc'; see jaxgap fit"),
        (["watch", "RUN", "--once", "--seed", str(10**30)], "--seed must be a whole number"),
    ],
)
def test_a_wrong_option_is_a_short_line(argv, line, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["jaxgap", *argv])
    monkeypatch.setattr(signals, "take_interrupts", lambda: None)  # they are pytest's
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr().err
    assert line in said
    assert len(said) < 200


def test_an_option_of_another_command_is_not_advised_as_typed(capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["demo", "--resume", "runs/mine"])
    said = capsys.readouterr().err
    assert "--resume (applied to jaxgap demo)" in said
    assert "perhaps" not in said


def test_a_wrong_option_is_said_without_markup(capsys):
    with pytest.raises(SystemExit, match="2"):
        run_command(["fit", "x.csv", "--window", "1"])
    assert capsys.readouterr().err == (
        "jaxgap: --window takes two numbers, got '1'; see jaxgap fit --help\n"
    )
