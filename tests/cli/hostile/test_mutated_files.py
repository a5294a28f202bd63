"""Files as chance and malice make them, through every command that reads one.

Each is a good file of one of the known forms, or a measured curve, after one or two seeded
mutations. Every one ends in success or in one clear line with exit status 2, never in a traceback
or a half-written output. The default run tries about a hundred, the slow one more than
three thousand.
"""

import json
from collections.abc import Callable

import numpy as np
import pytest

_CELLS = [
    b"", b" ", b"nan", b"-inf", b"1e308", b"-1e308", b"5e-324", b"1e999", b"0x10", b"1_000",
    b"\xd9\xa1", b"=1+1", b"'; DROP TABLE runs", b'"', b'""', b"1,1", b"true", b"null", b"-0",
    b"--5",
    b"\xe2\x80\x8b1", b"\xf0\x9f\x98\x80", b"1e-308", b"99999999999999999999", b"\x1b[31m", b"1;2",
]  # fmt: skip


def _spot(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _spot(data, rng)]


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def insert_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    pieces = [
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b'"',
        b",",
        b",,,",
        b"\x1a",
    ]
    spot = _spot(data, rng)
    return data[:spot] + pieces[int(rng.integers(len(pieces)))] + data[spot:]


def replace_cell(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    row = int(rng.integers(len(lines)))
    cells = lines[row].split(b",")
    cells[int(rng.integers(len(cells)))] = _CELLS[int(rng.integers(len(_CELLS)))]
    lines[row] = b",".join(cells)
    return b"\n".join(lines)


def swap_columns(data: bytes, rng: np.random.Generator) -> bytes:
    lines = [line.split(b",") for line in data.split(b"\n")]
    width = len(lines[0])
    one, other = rng.integers(width, size=2)
    first = int(rng.integers(2))  # sometimes the header alone stays
    for cells in lines[first:]:
        if len(cells) == width:
            cells[one], cells[other] = cells[other], cells[one]
    return b"\n".join(b",".join(cells) for cells in lines)


def shuffle_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join(lines[i] for i in rng.permutation(len(lines)))


def repeat_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    row = int(rng.integers(len(lines)))
    return b"\n".join(lines[:row] + [lines[row]] * int(rng.integers(2, 5)) + lines[row + 1 :])


def scale_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    """Every number in one column times a power of ten, far out of range or not."""
    lines = [line.split(b",") for line in data.split(b"\n")]
    column = int(rng.integers(len(lines[0])))
    exponent = int(rng.choice([-320, -300, -60, -8, 2, 30, 60, 200, 300]))
    for cells in lines[1:]:
        if len(cells) > column and cells[column]:
            cells[column] = cells[column] + f"e{exponent}".encode()
    return b"\n".join(b",".join(cells) for cells in lines)


def end_lines_otherwise(data: bytes, rng: np.random.Generator) -> bytes:
    ends = [b"\r\n", b"\r", b"\n\n", b"\n\r"]
    return b"".join(line + ends[int(rng.integers(len(ends)))] for line in data.split(b"\n") if line)


def other_encoding(data: bytes, rng: np.random.Generator) -> bytes:
    codec = ["utf-16", "utf-32", "utf-8-sig", "utf-7"][int(rng.integers(4))]
    return data.decode("utf-8", "replace").encode(codec, "replace")


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncate,
    flip_bits,
    insert_bytes,
    replace_cell,
    swap_columns,
    shuffle_lines,
    repeat_lines,
    scale_numbers,
    end_lines_otherwise,
    other_encoding,
)

ROWS = [(t, 1 + 2 * 0.7**t, 0.8 + 1.2 * 0.7**t) for t in range(8)]
OWN = "t,solver,verifier\n" + "".join(f"{t},{s:.4f},{v:.4f}\n" for t, s, v in ROWS)
JSONL = "".join(json.dumps({"t": t, "solver": s, "verifier": v}) + "\n" for t, s, v in ROWS)
LONG = "run,step,metric,value\n" + "".join(
    f"{run},{t},{name},{value:.4f}\n"
    for run in "ab"
    for t, s, v in ROWS
    for name, value in (("nll", s), ("best", v))
)
WANDB = '"Step","a - nll","a - nll__MIN","b - nll"\n' + "".join(
    f'"{t}","{s:.4f}","{s:.4f}","{v:.4f}"\n' for t, s, v in ROWS
)
STATE = json.dumps({"log_history": [{"step": t, "eval_loss": s, "loss": v} for t, s, v in ROWS]})
MANIFEST = "file,kind,n,time_unit,source\nrun.csv,uncertainty,,round,made here\n"

NLL, LOSS = "solver=nll", "solver=eval_loss"
# A file, its text, and the commands that read it; every output goes to OUT.
READERS = [
    ("run.csv", OWN, ["fit", "{file}"]),
    ("run.csv", OWN, ["forecast", "{file}", "--horizon", "20"]),
    ("run.csv", OWN, ["compare", "{file}"]),
    ("run.jsonl", JSONL, ["fit", "{file}"]),
    ("long.csv", LONG, ["compare", "{file}", "--columns", NLL]),
    ("wandb.csv", WANDB, ["compare", "{file}", "--columns", NLL]),
    ("trainer_state.json", STATE, ["fit", "{file}", "--columns", LOSS]),
    ("run.csv", OWN, ["schedule", "{file}", "--gamma", "0.3", "--rounds", "0", "3", "6"]),
    ("manifest.csv", MANIFEST, ["backtest", "{folder}"]),
    ("trajectory.csv", OWN, ["report", "{folder}"]),
]


_WRONG = [
    [],
    None,
    3,
    {"kind": 3},
    {"kind": "accuracy", "num_items": 10**18},
    {"kind": "accuracy", "num_items": -1},
    {"num_items": 5},
    {"num_items": True},
    {"time_unit": ""},
    {"time_unit": "a\nb"},
    {"time_unit": "[red]epoch[/"},
    {"provenance": []},
    {"provenance": {"notes": 5, "seed": []}},
    {"provenance": {"notes": ["[bold]x[/]", 3, None]}},
    {"unknown": 1},
]
SIDECARS: tuple[bytes, ...] = (
    *(json.dumps(value).encode() for value in _WRONG),
    *(
        b"[" * 50_000,
        b"{",
        b'{"a": NaN}',
        b'{"kind": "accuracy", "kind": "accuracy"}',
        b"\xff",
        b"",
    ),
)


def mutated(text, seed, count):
    """Seeded mutations of a file, one or two at a time."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        data = text.encode()
        for _ in range(int(rng.integers(1, 3))):
            data = MUTATIONS[int(rng.integers(len(MUTATIONS)))](data or b"\n", rng)
        yield data


def attack(index, count, attacked, attempt):
    name, text, argv = READERS[index]
    statuses = []
    for data in mutated(text, index, count):
        file = attacked(name, data)
        filled = [part.format(file=file, folder=file.parent) for part in argv]
        statuses.append(attempt(filled)[0])
        left = {path.name for path in file.parent.iterdir()} - {"run.csv", name, "report.html"}
        assert not left, argv
    return statuses


def is_dear(index):
    """Forecasts, schedules, backtests and reports take seconds where the file is good."""
    return READERS[index][2][0] in ("forecast", "schedule", "backtest", "report")


@pytest.mark.parametrize("index", range(len(READERS)))
def test_mutated_files(index, attacked, attempt):
    assert 2 in attack(index, 4 if is_dear(index) else 12, attacked, attempt)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(READERS)))
def test_very_many_mutated_files(index, attacked, attempt):
    attack(index, 100 if is_dear(index) else 320, attacked, attempt)


def attack_measured(folder, count, seed, attacked, attempt):
    """Mutations of measured curves, each through one of the commands that read a run."""
    rng = np.random.default_rng(seed)
    files = sorted(path for path in folder.rglob("*.csv") if path.name != "manifest.csv")
    commands = (["fit"], ["compare"], ["forecast", "--horizon", "1e3"])
    for _ in range(count):
        source = files[int(rng.integers(len(files)))]
        (data,) = mutated(source.read_text(), int(rng.integers(2**32)), 1)
        command, *options = commands[int(rng.integers(len(commands)))]
        attempt([command, str(attacked("run.csv", data)), *options])


def test_mutated_measured_curves(shared_data, attacked, attempt):
    attack_measured(shared_data, 12, 0, attacked, attempt)


@pytest.mark.slow
def test_very_many_mutated_measured_curves(shared_data, attacked, attempt):
    attack_measured(shared_data, 600, 1, attacked, attempt)


@pytest.mark.parametrize("number", range(len(SIDECARS)))
def test_sidecars_of_the_wrong_kind(number, attacked, commands, attempt):
    file = attacked("run.csv", OWN.encode())
    file.with_name("run.csv.json").write_bytes(SIDECARS[number])
    for argv in commands(file)[:3]:
        attempt(argv)
