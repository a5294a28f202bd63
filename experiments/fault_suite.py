"""Fault injection on real runs: whatever happens, nothing may be lost.

    python experiments/fault_suite.py [--num-kills 50] [--json FILE]

A small run of the embedded model is completed once undisturbed. Then the same run is repeatedly
started as a separate process and disturbed: by signals at random moments, in every stage and while
a checkpoint is being written; by truncated, changed or deleted checkpoints; by a full disk. Each
time it is resumed to its end and compared with the undisturbed run: the measurements byte for byte,
the weights by their digests.
"""

import argparse
import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROUNDS = 12
SIZES = {"rounds": ROUNDS, "train-prompts": 32, "held-out-prompts": 32, "candidates": 4}
OPTIONS = [f"--num-{name}={value}" for name, value in SIZES.items()] + ["--batch-size=32"]
# The command, made to report its stage.
PROGRAM = """
import sys
from pathlib import Path
from jaxgap.__main__ import main

try:
    from jaxgap.improve.runs.run_folder import RunFolder
except KeyboardInterrupt:  # as main does, which would make this import
    sys.exit(130)
place, enter = Path(sys.argv.pop(1)), RunFolder.enter

def enter_and_tell(self, stage):
    place.write_text(stage)
    enter(self, stage)

RunFolder.enter = enter_and_tell
main()
"""
EQUAL_FILES = ("config.json", "metrics.jsonl", "trajectory.csv", "trajectory.csv.json")
# A run is killed at most this often before it may end, so that every run is compared.
KILLS_PER_RUN = 5
# Room for four checkpoints of 15 megabytes, one of them being written.
TMPFS_MEGABYTES = 120


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start or resume `jaxgap improve` as a process, on a run in `folder`."""
    stage = stage_file(folder)
    stage.write_text("setting up")
    begun = (folder / "config.json").exists()
    where = ["--resume", str(folder)] if begun else ["--out", str(folder), *OPTIONS, *options]
    program = [sys.executable, "-c", PROGRAM, str(stage), "improve", *where]
    return subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def stage_file(folder: Path) -> Path:
    """The file in which a run's process reports its stage."""
    return folder.with_name(f"{folder.name}.stage")


def finish(folder: Path) -> str:
    """Complete a run; return its stderr."""
    process = start(folder)
    said = process.communicate(timeout=600)[1]
    if process.returncode:
        raise RuntimeError(f"exit status {process.returncode}: {said}")
    return said


def has_traceback(said: str) -> bool:
    """Whether a process wrote a traceback to its stderr, which is then shown."""
    if "Traceback" not in said:
        return False
    print(said, file=sys.stderr, flush=True)
    return True


def end_of(folder: Path) -> dict[str, Any]:
    """The content of a run's measurements, and the digests of its last checkpoint."""
    metadata = (folder / "checkpoints" / str(ROUNDS) / "_CHECKPOINT_METADATA").read_text()
    digests = json.loads(metadata)["custom_metadata"]["digests"]
    return {name: (folder / name).read_bytes() for name in EQUAL_FILES} | {"digests": digests}


def where(folder: Path) -> str:
    """The stage at which a run was stopped."""
    saving = any(folder.glob("checkpoints/*.orbax-checkpoint-tmp"))
    return stage_file(folder).read_text() + (" during a save" if saving else "")


@dataclasses.dataclass
class FaultSuite:
    """The undisturbed run, the reference for the others, and the faults.

    - `base`: a folder for everything.
    - `moments`: the source of random moments and places.
    - `seconds`: the latest time after its start at which a process is sent a signal.
    """

    base: Path
    moments: random.Random
    seconds: float

    def __post_init__(self):
        self.whole, self.folder = self.base / "whole", self.base / "run"
        finish(self.whole)
        self.expected = end_of(self.whole)

    def row(
        self, fault: str, times: int, happened: str, same: int | None, runs: int, tracebacks: int
    ):
        """One line of the table; `same` is None where no run was compared."""
        return {
            "fault": fault,
            "times": times,
            "what happened": happened,
            "runs": runs,
            "the same in the end": same,
            "tracebacks": tracebacks,
        }

    def is_same(self, folder: Path) -> bool:
        """Whether a run ended like the undisturbed one."""
        return end_of(folder) == self.expected

    def signals(self, number: signal.Signals, count: int) -> dict[str, Any]:
        """Send a signal at `count` random moments; resume; compare."""
        found: Counter[str] = Counter()
        same = tracebacks = sent = num_runs = 0
        while sent < count:
            shutil.rmtree(self.folder, ignore_errors=True)
            for _ in range(min(KILLS_PER_RUN, count - sent)):
                process = start(self.folder)
                time.sleep(self.moments.uniform(0.5, self.seconds))
                process.send_signal(number)
                tracebacks += has_traceback(process.communicate(timeout=600)[1])
                found[where(self.folder)] += 1
                sent += 1
            tracebacks += has_traceback(finish(self.folder))
            num_runs += 1
            same += self.is_same(self.folder)
        happened = ", ".join(f"{n} {what}" for what, n in sorted(found.items()))
        return self.row(number.name, sent, happened, same, num_runs, tracebacks)

    def damage(self, kind: str, count: int) -> dict[str, Any]:
        """Damage the newest checkpoint of a finished run; resume; compare."""
        same = said_once = tracebacks = 0
        for _ in range(count):
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.copytree(self.whole, self.folder)
            self._damage(kind, self.folder / "checkpoints" / str(ROUNDS))
            tracebacks += has_traceback(finish(self.folder))
            notes = self.folder / "notes.jsonl"
            said_once += notes.exists() and len(notes.read_text().splitlines()) == 1
            same += self.is_same(self.folder)
        happened = f"said in one line {said_once} times, the one before used"
        return self.row(f"newest checkpoint {kind}", count, happened, same, count, tracebacks)

    def _damage(self, kind: str, checkpoint: Path) -> None:
        if kind == "deleted":
            shutil.rmtree(checkpoint)
            return
        files = [path for path in checkpoint.rglob("*") if path.is_file() and path.stat().st_size]
        # Weighted by size, so that all bits of the checkpoint are equally likely.
        path = self.moments.choices(files, [path.stat().st_size for path in files])[0]
        raw = bytearray(path.read_bytes())
        if kind == "truncated":
            del raw[self.moments.randrange(len(raw)) :]
        else:
            bit = self.moments.randrange(8 * len(raw))
            raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(raw))

    def full_disk(self) -> dict[str, Any] | None:
        """Fill up a small disk during a run, then free space. None if no such disk can be made."""
        disk = self.base / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MEGABYTES}m", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True).returncode:
            return None
        run, filler = disk / "run", disk / "filler"
        try:
            process = start(run)
            while not (run / "metrics.jsonl").exists() and process.poll() is None:
                time.sleep(0.05)
            subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1M"], capture_output=True)
            said = process.communicate(timeout=600)[1]
            filler.unlink()
            finish(run)
            same = int(self.is_same(run))
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        happened = f"exit status {process.returncode}, {len(said.splitlines())} line on stderr"
        return self.row("full disk", 1, happened, same, 1, int(has_traceback(said)))

    def two_processes(self) -> dict[str, Any]:
        """Start a second process on a run that another one is working on."""
        shutil.rmtree(self.folder, ignore_errors=True)
        first = start(self.folder)
        while not (self.folder / "config.json").exists():
            time.sleep(0.05)
        second = start(self.folder)
        said = second.communicate(timeout=600)[1]
        first.communicate(timeout=600)
        refused = "refused" if "is in use by process" in said else "not refused"
        happened = f"{refused}, exit status {second.returncode}"
        same = int(self.is_same(self.folder))
        return self.row("a second process", 1, happened, same, 1, int(has_traceback(said)))

    def unlucky(self, fault: str, said: str, *options: str) -> dict[str, Any]:
        """Start a run with options that make every round fail; resume it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        ends = [start(self.folder, *options).communicate(timeout=600)[1] for _ in range(2)]
        lines = [end.strip().splitlines() for end in ends]
        told = sum(said in end for end in ends)
        kept = [path for path in (self.folder / "checkpoints").iterdir() if path.name.isdecimal()]
        happened = (
            f"said {told} times, in {max(map(len, lines))} line; {len(kept)} checkpoints kept"
        )
        tracebacks = sum(map(has_traceback, ends))
        return self.row(fault, 2, happened, None, 1, tracebacks)


def every_fault(suite: FaultSuite, num_kills: int) -> Iterator[dict[str, Any]]:
    """Inject one fault after another; yield the rows of the table."""
    num_others = max(1, num_kills // 5)
    yield suite.signals(signal.SIGKILL, num_kills)
    for number in (signal.SIGTERM, signal.SIGINT):
        yield suite.signals(number, num_others)
    for kind in ("bit-flipped", "truncated", "deleted"):
        yield suite.damage(kind, num_others)
    yield suite.two_processes()
    too_large = ("--learning-rate=1e30", "--clip-norm=1e30")
    yield suite.unlucky("losses or logits not finite, retried twice", "NaN or infinite", *too_large)
    full_disk = suite.full_disk()
    if full_disk is not None:
        yield full_disk


def print_row(cells: Iterable[object]) -> None:
    """One line of a Markdown table."""
    texts = ("" if cell is None else str(cell) for cell in cells)
    print("| " + " | ".join(texts) + " |", flush=True)


def main(num_kills: int, seconds: float, out: Path | None) -> None:
    """Print the table and write it as JSON, row by row."""
    # A shell starts background jobs with Ctrl-C ignored, which the runs would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        suite = FaultSuite(Path(name), random.Random(0), seconds)
        for row in every_fault(suite, num_kills):
            if not rows:
                print_row(row)
                print_row(["---"] * len(row))
            rows.append(row)
            print_row(row.values())
            if out is not None:
                out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="inject faults into real runs")
    parser.add_argument("--num-kills", type=int, default=50, help="SIGKILLs; others are a fifth")
    parser.add_argument("--seconds", type=float, default=15.0, help="latest time of a signal, in s")
    parser.add_argument("--json", type=Path, help="write the results here")
    arguments = parser.parse_args()
    main(arguments.num_kills, arguments.seconds, arguments.json)
