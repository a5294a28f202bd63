"""How far do four kinds of interval agree, and how often does each hold the truth?

The covariance at the fit (estimate +- t stderr), the profile likelihood, the parametric bootstrap's
percentiles and the posterior's are computed for the same curves: drawn from the linear law, with
unknown noise, over designs that cross the number of rows with how much of the decay is seen. For
each kind this counts how often it holds the true value, and how wide it is beside the profile's
where that is closed.

    python experiments/interval_study.py --json experiments/results/interval_study.json
"""

import argparse
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from coverage_study import Design, Truth, draw

from jaxgap.fitting import FitResult, LinearLaw, fit_many

NUM_ROWS = (8, 20)
DECAY_SEEN = (0.4, 0.7, 0.95)
NOISE = 0.02
LEVEL = 0.9
# Above this R-hat the posterior of a curve counts as not mixed.
MAX_R_HAT = 1.05
KINDS = ("covariance", "profile", "bootstrap", "posterior")

Intervals = dict[str, tuple[float, float]]


def designs() -> list[Design]:
    """The whole grid."""
    return [
        Design(rows, NOISE, seen, False) for rows, seen in itertools.product(NUM_ROWS, DECAY_SEEN)
    ]


def intervals(result: FitResult, key) -> tuple[dict[str, Intervals], bool]:
    """By kind, the interval of every parameter and limit; and whether the posterior mixed."""
    raw, quantile = result.source.raw, result.source.quantile
    assert quantile is not None
    names = [*result.parameters, *(f"limit {name}" for name in result.limits)]
    rows = list(zip(names, raw.numbers, raw.stderrs, raw.intervals, strict=True))
    keys = jax.random.split(key)
    draws = result.posterior(key=keys[1], num_warmup=400, num_samples=300)
    by_kind = {
        "covariance": {
            name: (value - quantile * stderr, value + quantile * stderr)
            for name, value, stderr, _ in rows
        },
        "profile": {name: (ends[0], ends[1]) for name, _, _, ends in rows},
        "bootstrap": result.bootstrap(300, key=keys[0]).intervals(LEVEL),
        "posterior": draws.intervals(LEVEL),
    }
    return by_kind, max(draws.r_hat.values()) < MAX_R_HAT


def true_values(truth: Truth) -> dict[str, float]:
    """By the names that :func:`intervals` gives."""
    limits = {f"limit {name}": value for name, value in truth.limits().items()}
    return truth._asdict() | limits


def run(num_per_design: int, seed: int) -> dict[str, Any]:
    """The whole study: by design, kind and number, the coverage and the median relative width."""
    found: dict[str, Any] = {}
    for index, design in enumerate(designs()):
        drawn = [
            draw(design, np.random.default_rng([seed, index, n])) for n in range(num_per_design)
        ]
        results = fit_many(LinearLaw(), [trajectory for _, trajectory in drawn], level=LEVEL)
        hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
        widths: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        mixed: list[bool] = []
        for n, ((truth, _), result) in enumerate(zip(drawn, results, strict=True)):
            by_kind, has_mixed = intervals(result, jax.random.key(seed + 1000 * index + n))
            mixed.append(has_mixed)
            for (kind, named), (name, value) in itertools.product(
                by_kind.items(), true_values(truth).items()
            ):
                low, high = named[name]
                hits[kind][name].append(bool(low <= value <= high))
                reference = np.ptp(by_kind["profile"][name])
                if np.isfinite(reference):
                    widths[kind][name].append(float((high - low) / reference))
        found[f"{design.num_rows} rows, {design.decay_seen:.0%} seen"] = {
            kind: {
                name: {
                    "coverage": float(np.mean(hits[kind][name])),
                    "relative_width": _median(widths[kind][name]),
                }
                for name in hits[kind]
            }
            for kind in KINDS
        } | {"num_unmixed": mixed.count(False)}
    return {"level": LEVEL, "noise": NOISE, "seed": seed, "per_design": num_per_design} | {
        "designs": found
    }


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def table(study: dict[str, Any], name: str) -> str:
    """For one number: coverage in percent and the relative width, a row for each design."""
    lines = [f"| {name} | " + " | ".join(KINDS) + " |", "|---" * (1 + len(KINDS)) + "|"]
    for design, by_kind in study["designs"].items():
        cells = [
            f"{found['coverage']:.0%}"
            + ("" if found["relative_width"] is None else f", {found['relative_width']:.2f}")
            for found in (by_kind[kind][name] for kind in KINDS)
        ]
        cells[-1] += f" ({by_kind['num_unmixed']} not mixed)" * (by_kind["num_unmixed"] > 0)
        lines.append(f"| {design} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the study, print its tables, and write the JSON where one was asked for."""
    parser = argparse.ArgumentParser(description="agreement of four kinds of interval")
    parser.add_argument("--per-design", type=int, default=40, help="curves for each design")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--json", type=Path, help="where to write the result")
    args = parser.parse_args()
    study = run(args.per_design, args.seed)
    for name in ("rate", "limit solver", "limit gap"):
        print(table(study, name), end="\n\n")
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(study, indent=1) + "\n")


if __name__ == "__main__":
    main()
