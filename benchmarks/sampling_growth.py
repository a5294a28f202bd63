"""How the cost of sampling grows with candidates, lengths, and layers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sampling_case import Case

_BASE = Case(8, 16, 32)
_VARIED = {
    "num_candidates": ("candidates of each of 8 prompts", (1, 2, 4, 8, 16, 32)),
    "prompt_length": ("tokens of a prompt", (16, 45, 128, 512)),
    "max_new_tokens": ("tokens of a completion", (16, 32, 64, 128)),
    "num_layers": ("layers", (2, 8, 16, 30)),
}


def measure(take_turn: Callable[[Case], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Vary one number of the first case at a time."""
    growth = {}
    for name, (_, values) in _VARIED.items():
        growth[name] = []
        for value in values:
            turn = take_turn(dataclasses.replace(_BASE, **{name: value}))
            bounds = turn["bounds"]
            kept = ("tokens_per_second", "tokens_per_processor_second", "peak_bytes")
            growth[name].append(
                {key: turn[key] for key in (*kept, "warm_up_seconds", "load_average")}
                | {
                    name: value,
                    "bound_tokens_per_processor_second": sum(
                        bound["tokens_per_processor_second"] for bound in bounds
                    )
                    / len(bounds),
                }
            )
    return growth


def draw(growth: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """One figure: rates per processor time, which other work on the machine disturbs least."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(2, len(growth), figsize=(13, 5.6), layout="constrained")
    for (name, points), (rates, memory) in zip(growth.items(), axes.T, strict=True):
        sizes = [point[name] for point in points]
        for key, label in (
            ("bound_tokens_per_processor_second", "products alone"),
            ("tokens_per_processor_second", "sampling"),
        ):
            rates.plot(sizes, [point[key] for point in points], marker="o", label=label)
        memory.plot(sizes, [point["peak_bytes"] / 1e9 for point in points], marker="o")
        memory.set(xlabel=_VARIED[name][0])
        for ax in (rates, memory):
            ax.set_xscale("log", base=2)
            ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
            ax.minorticks_off()
            ax.grid(alpha=0.3)
            ax.set_ylim(0, 1.1 * ax.dataLim.ymax)
    axes[0, 0].set_ylabel("tokens a second of processor time")
    axes[1, 0].set_ylabel("peak memory, GB")
    axes[0, 0].legend()
    figure.savefig(folder / "sampling_growth.png", dpi=150)
    plt.close(figure)
