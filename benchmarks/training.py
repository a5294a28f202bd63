"""An update step's speed and memory: jaxgap compared with transformers + PyTorch, or with peft.

Every engine takes the same step on the same tokens: SmolLM2-135M's shape with random weights, 16
rows of 256 tokens, all of which are predicted, in float32, with AdamW on all parameters and
gradient clipping; with `--lora`, adapters of rank 16 on every projection are trained instead.
jaxgap processes 2 rows at a time and accumulates their gradients, as it would in a run. The peer
processes all 16 at once, as a plain training loop does, and in separate turns also 2 at a time,
which needs less memory.

Each turn is a separate process: it builds the model, takes two steps to warm up, and times the next
ones. Turns alternate (A B C A B C ...), and ratios are taken within a round, because a shared
machine drifts. The bound is the time that the step's own matrix products take alone in XLA,
measured before and after each of jaxgap's turns. Memory is the peak of a process, from start to
end; PyTorch needs 12 to 16 GB. Compilation time is reported separately. Where other work shares the
processors, processor time says more than wall-clock time; both are given.

    python benchmarks/training.py --setup                     # make the peers' environment, once
    python benchmarks/training.py --json training.json --plot figures
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import peers
from recording import machine, spread, write
from rich.console import Console
from rich.table import Table
from training_case import Case

PEER = "torch"


def take_turn(python: Path, script: str, case: Case) -> dict[str, Any]:
    """Run an engine once, in its own process."""
    result = peers.take_turn(python, script, case)
    return result | {"rate": case.num_tokens / np.median(result["seconds"])}


def our_turn(case: Case) -> dict[str, Any]:
    """A turn of jaxgap, with the time of its products alone, before and after it."""
    ours = Path(sys.executable)
    before = take_turn(ours, "training_products.py", case)
    turn = take_turn(ours, "training_jaxgap.py", case)
    after = take_turn(ours, "training_products.py", case)
    for kind in ("seconds", "cpu_seconds"):
        turn[f"bound_{kind}"] = [before[kind], after[kind]]
    return turn


def compare(case: Case, folder: Path, num_repeats: int) -> Iterator[dict[str, list[dict]]]:
    """Run all engines alternately, `num_repeats` times; yield the results after each round."""
    peer = "transformers + peft" if case.lora_rank else "transformers + PyTorch"
    python = peers.python_of(folder, PEER)
    theirs = {
        peer: dataclasses.replace(case, microbatch_rows=case.rows),
        f"{peer}, {case.microbatch_rows} rows at a time": case,
    }
    turns: dict[str, list[dict[str, Any]]] = {"jaxgap": [], **{name: [] for name in theirs}}
    for _ in range(num_repeats):
        turns["jaxgap"].append(our_turn(case))
        for name, each in theirs.items():
            turns[name].append(take_turn(python, "training_torch.py", each))
        yield turns


def part_of_bound(turn: dict[str, Any], kind: str) -> float:
    """The bound's time divided by the step's, in wall-clock (`seconds`) or processor time."""
    return float(np.mean(turn[f"bound_{kind}"]) / np.median(turn[kind]))


def paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], key: str) -> list[float]:
    """For each round, our median divided by theirs."""
    return [float(np.median(a[key]) / np.median(b[key])) for a, b in zip(ours, theirs, strict=True)]


def summary(case: Case, turns: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The results in the form of the other benchmarks, with ratios."""
    ours = turns["jaxgap"]
    name = f"{case.rows}x{case.length}" + ("-lora" if case.lora_rank else "")
    bounds = [case.num_tokens / np.mean(turn["bound_seconds"]) for turn in ours]
    return {
        "case": dataclasses.asdict(case),
        "results": [
            {"engine": engine, "case": name, "tokens_per_second": [turn["rate"] for turn in each]}
            for engine, each in turns.items()
        ],
        "bound_tokens_per_second": {name: float(np.median(bounds))},
        "parts_of_bound": [part_of_bound(turn, "seconds") for turn in ours],
        "cpu_parts_of_bound": [part_of_bound(turn, "cpu_seconds") for turn in ours],
        "ratios": {
            peer: {
                "speed": paired(ours, theirs, "rate"),
                "cpu_speed": paired(theirs, ours, "cpu_seconds"),
                "memory": paired(ours, theirs, "peak_bytes"),
            }
            for peer, theirs in turns.items()
            if peer != "jaxgap"
        },
        "turns": turns,
        "machine": machine(["jax", "jaxlib", "flax", "optax", "numpy"]),
    }


def show(console: Console, results: dict[str, Any]) -> None:
    table = Table(title="Update step, engines in turn; ratios within each round")
    for column in ("engine", "tokens/s (median)", "lowest - highest", "peak GB", "compile s"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for result in results["results"]:
        turns, rates = results["turns"][result["engine"]], result["tokens_per_second"]
        compiling = [turn["compile_seconds"] for turn in turns if "compile_seconds" in turn]
        table.add_row(
            result["engine"],
            *spread(rates, "{:,.0f}"),
            f"{max(turn['peak_bytes'] for turn in turns) / 1e9:.2f}",
            f"{max(compiling):.0f}" if compiling else "",
        )
    for peer, ratios in results["ratios"].items():
        table.add_section()
        table.add_row(f"jaxgap / {peer}")
        for words, key in (("speed", "speed"), ("by processor time", "cpu_speed"), ("memory",) * 2):
            table.add_row(f"  {words}", *spread(ratios[key], "{:.2f} x"))
    table.add_section()
    table.add_row("part of the bound", *spread(results["parts_of_bound"], "{:.0%}"))
    table.add_row("  by processor time", *spread(results["cpu_parts_of_bound"], "{:.0%}"))
    console.print(table)
    loads = [turn["load_average"] for each in results["turns"].values() for turn in each]
    console.print(
        f"{os.cpu_count()} cores; load when a turn began: {min(loads):.1f} to {max(loads):.1f}"
    )


def growth(case: Case) -> dict[str, list[dict[str, Any]]]:
    """jaxgap's step by row length at a fixed number of tokens, and by number of layers."""

    def turn(**changes: int) -> dict[str, Any]:
        changed = dataclasses.replace(case, num_steps=1, **changes)
        result = our_turn(changed)
        return changes | {
            "tokens_per_second": result["rate"],
            "bound_tokens_per_second": changed.num_tokens / np.mean(result["bound_seconds"]),
            "peak_bytes": result["peak_bytes"],
            "compile_seconds": result["compile_seconds"],
        }

    lengths = (64, 128, 256, 512, 1024)
    total = case.num_tokens
    return {
        "length": [
            turn(length=length, rows=total // length, microbatch_rows=max(1, 512 // length))
            for length in lengths
        ],
        "layers": [turn(num_layers=layers) for layers in (2, 8, 16, 30, 48)],
    }


def draw(rates: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    axis = {"length": ("length", "tokens in a row"), "layers": ("num_layers", "layers")}
    for name, points in rates.items():
        key, label = axis[name]
        sizes = [point[key] for point in points]
        figure, (speed, memory) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
        for field, words in (
            ("bound_tokens_per_second", "products alone"),
            ("tokens_per_second", "step"),
        ):
            speed.plot(sizes, [point[field] for point in points], marker="o", label=words)
        speed.set(xlabel=label, ylabel="tokens per second", yscale="log")
        speed.legend()
        memory.plot(sizes, [point["peak_bytes"] / 1e9 for point in points], marker="o")
        memory.set(xlabel=label, ylabel="peak memory, GB", ylim=(0, None))
        for axes in (speed, memory):
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes.minorticks_off()
            axes.grid(alpha=0.3)
        figure.savefig(folder / f"training_{name}.png", dpi=150)
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--setup", action="store_true", help="create the peers' environment and exit"
    )
    parser.add_argument(
        "--peers", type=Path, default=peers.DEFAULT_FOLDER, help="folder of that environment"
    )
    parser.add_argument("--repeats", type=int, default=3, help="turns of each engine")
    parser.add_argument("--steps", type=int, default=3, help="timed steps per turn")
    parser.add_argument("--lora", action="store_true", help="train only adapters of rank 16")
    parser.add_argument("--prompt", type=int, default=1, help="prompt tokens in a row")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--plot", type=Path, help="also measure growth; plot it in this folder")
    options = parser.parse_args()
    if options.setup:
        peers.make_environment(options.peers, PEER, peers.TORCH)
        return
    if not peers.python_of(options.peers, PEER).exists():
        sys.exit(f"no environment of the peers in {options.peers}: run this with --setup first")

    case = Case(
        lora_rank=16 if options.lora else 0,
        num_steps=options.steps,
        prompt_length=options.prompt,
    )
    results: dict[str, Any] = {}
    for turns in compare(case, options.peers, options.repeats):
        # After every round, so that an interrupted run has results.
        results = summary(case, turns)
        show(Console(width=120), results)
        write(results, options.json)
    if options.plot:
        results["growth"] = growth(case)
        draw(results["growth"], options.plot)
        write(results, options.json)


if __name__ == "__main__":
    main()
