"""A whole round of generate, verify, train: jaxgap compared with a transformers + PyTorch script.

Both run SmolLM2-135M in float32 on the same prompts, with the same number of candidates of the same
length. Candidates are scored by the model's own likelihood, and the best of each prompt is trained
on once by AdamW on all parameters. jaxgap's likelihood is that of the tokens as they were sampled,
which needs no extra forward pass; the script needs one. Each turn is a separate process whose first
round warms up (and compiles). Turns alternate (A B A B ...), and ratios are taken within a pair,
because a shared machine drifts.

    python benchmarks/sampling.py --setup                  # make the peer's environment, once
    python benchmarks/round.py --json round.json
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import peers
import sampling_setup
from recording import machine, write
from rich.console import Console
from rich.table import Table
from round_case import STAGES, Case

KINDS = {"wall": "", "processor": "_processor"}


def take_turn(engine: str, case: Case, folder: Path) -> dict[str, Any]:
    """Run an engine once, in its own process."""
    ours = engine == "jaxgap"
    python = Path(sys.executable) if ours else peers.python_of(folder, sampling_setup.TORCH)
    model = str(sampling_setup.model_folder(folder))
    return peers.take_turn(python, f"round_{engine}.py", case, model)


def seconds(turn: dict[str, Any], suffix: str, stages=STAGES) -> float:
    """The median round's seconds in some stages."""
    return float(
        np.median([sum(each[stage + suffix] for stage in stages) for each in turn["rounds"]])
    )


def summary(case: Case, turns: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The content of the `--json` file."""
    ratios = {
        kind: [
            seconds(theirs, suffix) / seconds(ours, suffix)
            for ours, theirs in zip(turns["jaxgap"], turns["torch"], strict=True)
        ]
        for kind, suffix in KINDS.items()
    }
    return {
        "case": dataclasses.asdict(case),
        "turns": turns,
        "ratios": ratios,
        "machine": machine(["jax", "jaxlib", "flax", "optax", "numpy"]),
    }


def show(console: Console, results: dict[str, Any]) -> None:
    """Print the seconds of each stage and of the round, and the ratio of rounds."""
    table = Table(title="Seconds per round, median of turns; processor time in brackets")
    for column in ("", *STAGES, "round"):
        table.add_column(column, justify="right" if column else "left")
    for engine, turns in results["turns"].items():
        cells = []
        for stages in (*((stage,) for stage in STAGES), STAGES):
            wall, processor = (
                np.median([seconds(turn, suffix, stages) for turn in turns])
                for suffix in KINDS.values()
            )
            cells.append(f"{wall:.1f} ({processor:.1f})")
        table.add_row(engine, *cells)
    console.print(table)
    for kind, values in results["ratios"].items():
        console.print(
            f"torch / jaxgap by {kind} time: {np.median(values):.2f} "
            f"({min(values):.2f} - {max(values):.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--peers", type=Path, default=peers.DEFAULT_FOLDER, help="folder of the peer's environment"
    )
    parser.add_argument("--repeats", type=int, default=3, help="number of turns of each engine")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    if not sampling_setup.model_folder(options.peers).exists():
        sys.exit(f"the peer is not set up in {options.peers}: run sampling.py --setup first")
    turns: dict[str, list[dict[str, Any]]] = {"jaxgap": [], "torch": []}
    for _ in range(options.repeats):
        for engine, done in turns.items():
            done.append(take_turn(engine, Case(), options.peers))
        results = summary(Case(), turns)
        show(Console(width=120), results)
        write(results, options.json)


if __name__ == "__main__":
    main()
