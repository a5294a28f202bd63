"""What the tests of hostile inputs share: a good run, and one attempt with how it must end."""

import json
import warnings

import pytest

from jaxgap.cli.main import run_command

ROWS = [(t, 1 + 2 * 0.7**t, 0.8 + 1.2 * 0.7**t) for t in range(8)]


@pytest.fixture
def good_run():
    """The text of a run that every command can read."""
    return "t,solver,verifier\n" + "".join(f"{t},{s:.4f},{v:.4f}\n" for t, s, v in ROWS)


@pytest.fixture
def attempt(tmp_path, capsys):
    """Run a command with `--json`; its status and what it printed, after checking how it ended."""
    out = tmp_path / "out.json"

    def run(argv):
        status = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run_command(argv if argv[0] == "report" else [*argv, "--json", str(out)])
        except SystemExit as stop:
            status = stop.code
        said = capsys.readouterr()
        check(argv, status, said.err, out)
        return status, said

    return run


def check(argv, status, err, out):
    """Success, or one line and status 2; what was written is whole, and strict JSON."""
    assert status in (0, 2), (argv, err)
    if status == 2:
        assert err.count("\n") == 1, (argv, err)
        assert err.startswith("jaxgap: ")
        assert err.rstrip("\n").isprintable()
        assert len(err) < 6000
        # A comparison goes on without what it cannot read, and says so by its status.
        assert argv[0] == "compare" or not out.exists(), argv
    if out.exists():
        json.loads(out.read_text(), parse_constant=refuse)
        out.unlink()


def refuse(name):
    raise AssertionError(f"{name} in JSON")


@pytest.fixture
def attacked(tmp_path, good_run):
    """A folder with one good run and a file of the bytes given; returns that file."""
    folder = tmp_path / "in"

    def prepare(name, data):
        folder.mkdir(exist_ok=True)
        (folder / "run.csv").write_text(good_run)
        (folder / name).write_bytes(data)
        return folder / name

    return prepare


@pytest.fixture
def commands():
    """The commands that read one run, for a file."""

    def of(file):
        return [
            ["fit", str(file)],
            ["forecast", str(file), "--horizon", "20"],
            ["compare", str(file)],
            ["schedule", str(file), "--gamma", "0.3"],
        ]

    return of
