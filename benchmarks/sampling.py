"""Sampled tokens per second: jaxgap compared with transformers' generate and OpenVINO GenAI.

All engines continue the same prompts with SmolLM2-135M in float32 at temperature 1, with the same
number of candidates per prompt, of the same lengths (end tokens are ignored), and the same number
of rows at once: transformers in a plain batch with its KV cache, OpenVINO by continuous batching
with prefix caching.

Each turn is a separate process in its engine's environment. It loads the model, runs once to warm
up (jaxgap the whole case, in order to compile; the others, which compile nothing, one batch), and
is timed on further runs (three of the first case, of which the median counts) with other seeds and
other prompts of the same lengths: in a training loop the weights change between rounds, so a prefix
cache from the previous round is useless. Turns alternate (A B C A B C ...), and ratios are taken
within a round, because a shared machine drifts.

The bound is the rate that the matrix products of the model's decode step reach alone in XLA,
measured in a separate process before and after each of jaxgap's turns. Where other work shares the
processors, processor time says more than wall-clock time; both are given. (Of a completion's L
tokens a step draws all but the first, which the prompt's own logits give: no more than L / (L - 1)
of the bound could be reached if all else cost nothing.) Memory is the peak of a process while it
generates, including the warm-up but not loading.

    python benchmarks/sampling.py --setup                  # make the peers' environments, once
    python benchmarks/sampling.py --json sampling.json
    python benchmarks/sampling.py --case 64x16x128 --json sampling.json
    python benchmarks/sampling.py --growth figures --json growth.json
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import peers
import sampling_growth
import sampling_setup
from recording import machine, spread, write
from rich.console import Console
from rich.table import Table
from sampling_case import CASES, Case

PEERS = ("transformers", "openvino-genai")


def interpreters(folder: Path) -> dict[str, tuple[Path, str]]:
    """The Python interpreter and the script of each engine."""
    return {
        "jaxgap": (Path(sys.executable), "sampling_jaxgap.py"),
        "transformers": (peers.python_of(folder, sampling_setup.TORCH), "sampling_transformers.py"),
        "openvino-genai": (
            peers.python_of(folder, sampling_setup.OPENVINO),
            "sampling_openvino.py",
        ),
    }


def take_turn(engine: str, case: Case, folder: Path) -> dict[str, Any]:
    """Run an engine once, in its own process."""
    python, script = interpreters(folder)[engine]
    model = str(sampling_setup.model_folder(folder))
    result = peers.take_turn(python, script, case, model)
    return result | {
        "tokens_per_second": case.num_tokens / np.median(result["seconds"]),
        "tokens_per_processor_second": case.num_tokens / np.median(result["processor_seconds"]),
    }


def take_our_turn(case: Case, folder: Path) -> dict[str, Any]:
    """Run jaxgap, and the model's products alone before and after it."""

    def bound() -> dict[str, Any]:
        model = str(sampling_setup.model_folder(folder))
        return peers.take_turn(Path(sys.executable), "sampling_products.py", case, model)

    before, turn = bound(), take_turn("jaxgap", case, folder)
    return turn | {"bounds": [before, bound()]}


def ratios(turns: dict[str, list[dict[str, Any]]], key: str) -> dict[str, list[float]]:
    """For each round, jaxgap's rate divided by each peer's and by the bound."""
    found = {
        f"jaxgap / {peer}": [
            ours[key] / theirs[key]
            for ours, theirs in zip(turns["jaxgap"], turns[peer], strict=True)
        ]
        for peer in PEERS
    }
    found["jaxgap / bound"] = [
        turn[key] / np.mean([bound[key] for bound in turn["bounds"]]) for turn in turns["jaxgap"]
    ]
    return found


def summary(name: str, turns: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The content of the `--json` file."""
    bounds = [bound for turn in turns["jaxgap"] for bound in turn["bounds"]]
    return {
        "results": [
            {
                "engine": engine,
                "case": name,
                "tokens_per_second": [turn["tokens_per_second"] for turn in each],
                "tokens_per_processor_second": [
                    turn["tokens_per_processor_second"] for turn in each
                ],
                "peak_bytes": [turn["peak_bytes"] for turn in each],
                "warm_up_seconds": [turn["warm_up_seconds"] for turn in each],
                "load_average": [turn["load_average"] for turn in each],
            }
            for engine, each in turns.items()
        ],
        "bound_tokens_per_second": {
            name: float(np.median([bound["tokens_per_second"] for bound in bounds]))
        },
        "ratios": {key: ratios(turns, key) for key in _KEYS},
        "memory": {
            key: turns["jaxgap"][0][key] for key in ("idle_bytes", "weight_bytes", "cache_bytes")
        },
        "bounds": bounds,
        "machine": machine(_PACKAGES),
        "versions": {engine: each[0]["versions"] for engine, each in turns.items()},
    }


_PACKAGES = ("jax", "jaxlib", "flax", "numpy")
_KEYS = ("tokens_per_second", "tokens_per_processor_second")


def show(console: Console, results: dict[str, Any]) -> None:
    """Print rates, ratios, memory and warm-up time as a table."""
    table = Table(title="Sampled tokens per second, engines in turn; ratios within each round")
    for column in ("", "median", "lowest - highest", "by processor time", "peak GB", "warm-up s"):
        table.add_column(column, justify="right" if column else "left")
    for result in results["results"]:
        table.add_row(
            result["engine"],
            *spread(result["tokens_per_second"], "{:,.0f}"),
            spread(result["tokens_per_processor_second"], "{:,.0f}")[0],
            f"{max(result['peak_bytes']) / 1e9:.2f}",
            f"{max(result['warm_up_seconds']):.0f}",
        )
    bounds = [[bound[key] for bound in results["bounds"]] for key in _KEYS]
    table.add_row(
        "bound", *spread(bounds[0], "{:,.0f}"), spread(bounds[1], "{:,.0f}")[0], end_section=True
    )
    for name, values in results["ratios"]["tokens_per_second"].items():
        by_processor = results["ratios"]["tokens_per_processor_second"][name]
        table.add_row(name, *spread(values, "{:.2f}"), spread(by_processor, "{:.2f}")[0])
    console.print(table)
    memory = results["memory"]
    needed = memory["weight_bytes"] + memory["cache_bytes"]
    peak = max(results["results"][0]["peak_bytes"]) - memory["idle_bytes"]
    console.print(
        f"jaxgap holds {peak / 1e9:.2f} GB beyond an idle process, {peak / needed:.2f} times "
        f"weights and cache ({needed / 1e9:.2f} GB)"
    )
    loads = [load for result in results["results"] for load in result["load_average"]]
    console.print(
        f"{os.cpu_count()} cores; load when a turn began: {min(loads):.1f} to {max(loads):.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--case", choices=CASES, default="8x16x32", help="prompts x N x new tokens")
    parser.add_argument("--setup", action="store_true", help="make the environments and exit")
    parser.add_argument(
        "--peers", type=Path, default=peers.DEFAULT_FOLDER, help="folder of the environments"
    )
    parser.add_argument("--repeats", type=int, default=3, help="number of turns of each engine")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument(
        "--growth", type=Path, help="only measure how jaxgap's cost grows; plot it in this folder"
    )
    options = parser.parse_args()
    if options.setup:
        sampling_setup.set_up(options.peers)
        return
    if not sampling_setup.model_folder(options.peers).with_name("openvino").exists():
        sys.exit(f"the peers are not set up in {options.peers}: run this with --setup first")

    if options.growth:
        growth = sampling_growth.measure(lambda case: take_our_turn(case, options.peers))
        sampling_growth.draw(growth, options.growth)
        write(growth | {"machine": machine(_PACKAGES)}, options.json)
    else:
        case = CASES[options.case]
        turns: dict[str, list[dict[str, Any]]] = {
            engine: [] for engine in interpreters(options.peers)
        }
        for _ in range(options.repeats):
            turns["jaxgap"].append(take_our_turn(case, options.peers))
            for engine in PEERS:
                turns[engine].append(take_turn(engine, case, options.peers))
            # After every round, so that an interrupted run has results.
            results = summary(options.case, turns)
            show(Console(width=120), results)
            write(results, options.json)


if __name__ == "__main__":
    main()
