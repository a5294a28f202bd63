"""Hostile paths, options, curves, tables and JSON: success, or one clear line and status 2.

They run in one process, since compiled programs make the difference between milliseconds and
seconds; a few run as processes of their own.
"""

import itertools
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


class Places:
    """Paths that are no ordinary file."""

    @staticmethod
    def folder(path):
        path.mkdir()

    @staticmethod
    def fifo(path):
        os.mkfifo(path)

    @staticmethod
    def dangling_link(path):
        path.symlink_to(path.parent / "nowhere")

    @staticmethod
    def link_to_itself(path):
        path.symlink_to(path)

    @staticmethod
    def device(path):
        path.symlink_to("/dev/zero")

    @staticmethod
    def sparse(path):
        with path.open("wb") as file:
            file.truncate(1 << 36)

    @staticmethod
    def unreadable(path):
        path.write_text("t,solver\n0,1\n1,2\n2,3\n")
        path.chmod(0)

    @staticmethod
    def empty(path):
        path.touch()


@pytest.mark.parametrize("place", [name for name in vars(Places) if not name.startswith("_")])
def test_places_that_are_no_file(place, tmp_path, commands, attempt):
    path = tmp_path / "x.csv"
    if place == "unreadable" and os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    getattr(Places, place)(path)
    for argv in [*commands(path), ["report", str(path)], ["backtest", str(path)]]:
        status, _ = attempt(argv)
        assert status == 2


def test_names_that_no_file_can_have(commands, attempt):
    for name in ("a" * 5000, "a\nb", "\x1b[31m.csv", "\udcff.csv", "-", "", "."):
        for argv in [*commands(name), ["report", name], ["backtest", name]]:
            assert attempt(argv)[0] == 2


@pytest.mark.parametrize(
    "line",
    ["../run.csv", "/etc/passwd", "link.csv", ".", "run.csv/x", "a\x00b", '"a\nb"', "a" * 5000],
)
def test_a_manifest_that_points_elsewhere(line, tmp_path, good_run, attacked, attempt):
    (tmp_path / "run.csv").write_text(good_run)
    folder = attacked("manifest.csv", f"file,kind,n\n{line},uncertainty,\n".encode()).parent
    (folder / "link.csv").symlink_to(tmp_path / "run.csv")
    status, said = attempt(["backtest", str(folder)])
    assert status == 2
    assert "root:" not in said.err


REFUSED = [
    ("forecast --horizon {}", ["1e308", "-1", "nan", "inf", "7", "1e-300"]),
    ("forecast --horizon 20 --level {}", ["nan", "0", "1", "-1", "inf"]),
    ("forecast --horizon 20 --cost {}", ["nan", "inf", "-1e308"]),
    ("forecast --horizon 20 --seed {}", ["-1", "9" * 30, "1.5"]),
    ("fit --level {}", ["nan", "0", "1", "-1"]),
    ("fit --kind accuracy --num-items {}", ["0", "-5", "9" * 30, "1.5"]),
    ("fit --columns {}", ["t", "=", "t=", "t=t,solver=", "t=t,solver=t,ts=t"]),
    ("fit --time-unit {}", ["", " ", "a\nb", "\udcff"]),
    ("compare --group {}", ["(", "[", "(?P<x>"]),
    ("compare --level {}", ["nan", "0"]),
    ("schedule --gamma {}", ["nan", "0", "-1", "1e308", "inf"]),
    ("schedule --gamma 1 --gamma-range {}", ["0 1", "2 1", "nan 1", "1 1e300"]),
    ("schedule --gamma 1 --rounds {}", ["-5 1", "0 0", "nan", "3 2"]),
    (
        "schedule --gamma 1 --rounds 0 3 --eta {}",
        ["0.3 0.3", "nan 1", "1", "-1 2", "1e308 0"],
    ),
]
TAKEN = [
    ("forecast --horizon {}", ["8", "7.0000001", "1e6"]),
    ("forecast --horizon 20 --level {}", ["1e-300", "0.9999999"]),
    ("forecast --horizon 20 --cost {}", ["1e308", "0"]),
    ("forecast --horizon 20 --seed {}", ["9223372036854775807"]),
    ("fit --level {}", ["1e-300", "0.9999999"]),
    ("fit --columns {}", ["solver=t,t=solver"]),
    ("fit --time-unit {}", ["[/red]"]),
    ("compare --group {}", ["", "run|.*"]),
    ("compare --level {}", ["1e-300"]),
    ("schedule --gamma {}", ["1e-300"]),
    ("schedule --gamma 1 --gamma-range {}", ["1e-9 1e6"]),
    ("schedule --gamma 1 --rounds {}", ["1e308 1.1e308"]),
]


@pytest.fixture
def status_of(good_run, attacked, attempt):
    """How a command on a good run ends, with a value in one of its options."""
    file = attacked("run.csv", good_run.encode())

    def of(pattern, value):
        command, *options = pattern.split(" ")
        given_values = value.split(" ") if " " in value.strip() else [value]
        return attempt([command, str(file), *options[:-1], *given_values])[0]

    return of


@pytest.mark.parametrize(("pattern", "values"), REFUSED)
def test_options_out_of_their_range(pattern, values, status_of):
    assert {value: status_of(pattern, value) for value in values} == dict.fromkeys(values, 2)


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "values"), TAKEN)
def test_options_at_the_edge_of_their_range(pattern, values, status_of):
    assert {value: status_of(pattern, value) for value in values} == dict.fromkeys(values, 0)


# The last is in its range, and a backtest of seconds.
PREFIXES = ["-1", "0", "1", "nan", "inf", "1e308", "0.999"]
PREFIXES.append(pytest.param("0.001", marks=pytest.mark.slow))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes_out_of_their_range(prefix, attacked, attempt):
    manifest = attacked("manifest.csv", b"file,kind\nrun.csv,uncertainty\n")
    attempt(["backtest", str(manifest.parent), "--prefix", prefix])


HARD = {
    "constant": [0.5] * 6,
    "zeros": [0.0] * 6,
    "ones": [1.0] * 6,
    "up": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "jump": [0.9, 0.9, 0.9, 0.1, 0.1, 0.1],
    "three": [0.9, 0.5, 0.3],
    "spike": [0.9, 0.9, 1e-12, 0.9, 0.9, 0.9],
}


# The others take longest, and differ least from these.
QUICK = {("zeros", "uncertainty"), ("jump", "uncertainty"), ("three", "accuracy")}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(*each, marks=() if each in QUICK else pytest.mark.slow)
        for each in itertools.product(HARD, ("uncertainty", "accuracy"))
    ],
)
def test_curves_that_fit_nothing(name, kind, attacked, commands, attempt):
    text = "t,solver,verifier\n" + "".join(f"{t},{y!r},{y!r}\n" for t, y in enumerate(HARD[name]))
    file = attacked("run.csv", text.encode())
    for argv in commands(file)[:3]:
        attempt([*argv, "--kind", kind])


cells = st.one_of(
    st.floats(width=64).map(repr), st.integers().map(str), st.text(max_size=6), st.just("")
)
tables = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=6).map(
    lambda rows: "\n".join(",".join(row) for row in rows)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["t", "solver", "step", "log_history", "x"]), inner)
    ),
    max_leaves=12,
)
quiet = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def check_table(text, attacked, attempt):
    file = attacked("x.csv", ("t,solver\n" + text).encode("utf-8", "surrogatepass"))
    for argv in (["fit", str(file)], ["compare", str(file)]):
        attempt(argv)


def check_json(value, attacked, attempt):
    text = json.dumps(value)
    for name in ("x.json", "x.jsonl"):
        file = attacked(name, text.encode())
        for columns in ([], ["--columns", "t=step,solver=x"]):
            attempt(["fit", str(file), *columns])


@given(text=tables)
@settings(max_examples=40, **quiet)
def test_any_table(text, attacked, attempt):
    check_table(text, attacked, attempt)


@given(value=json_values)
@settings(max_examples=25, **quiet)
def test_any_json(value, attacked, attempt):
    check_json(value, attacked, attempt)


@pytest.mark.slow
@given(text=tables, value=json_values)
@settings(max_examples=300, **quiet)
def test_very_many_tables_and_json_values(text, value, attacked, attempt):
    check_table(text, attacked, attempt)
    check_json(value, attacked, attempt)


@pytest.mark.parametrize("data", [b"\0" * 100, b"t,solver\n0,1\xff", b"[" * 100_000])
def test_a_real_process_ends_in_one_line(data, tmp_path, attacked):
    file = attacked("x.csv", data)
    argv = [sys.executable, "-m", "jaxgap", "fit", str(file), "--json", str(tmp_path / "out")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("jaxgap: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
