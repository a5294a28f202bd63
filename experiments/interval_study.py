"""How well do four kinds of interval agree, and how often does each cover the truth?

The covariance at the fit (estimate +- t stderr), the profile likelihood, the parametric bootstrap's
percentiles and the posterior's are computed for the same curves: drawn from the linear law, with
unknown noise, over designs that cross the number of rows with how much of the decay is seen. For
each kind and number:

- `coverage`: how often it covers the true value, over all curves; an open end counts as infinite;
- `coverage_closed`: the same, over the curves whose profile interval is closed;
- `relative_width`: its width divided by the profile's, where that is closed; the median;
- `apart`: the larger of its two ends' distances from the profile's, in widths of the profile
  interval; the median.

Designs already in the JSON file are kept, so the study can be run in parts:

    python experiments/interval_study.py --json FILE --designs 0 1
    python experiments/interval_study.py --json FILE
"""

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Callable
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
    """The interval of every parameter and limit by kind, and whether the posterior mixed."""
    numbers, quantile = result.source.numbers, result.source.quantile
    assert quantile is not None
    names = [*result.parameters, *(f"limit {name}" for name in result.limits)]
    rows = list(zip(names, *numbers, strict=True))
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
    """The true values by the names of :func:`intervals`."""
    limits = {f"limit {name}": value for name, value in truth.limits().items()}
    return truth._asdict() | limits


def run(index: int, num_curves: int, seed: int) -> dict[str, Any]:
    """One design: by number and kind, the statistics listed in the module's docstring."""
    rngs = [np.random.default_rng([seed, index, n]) for n in range(num_curves)]
    drawn = [draw(designs()[index], rng) for rng in rngs]
    results = fit_many(LinearLaw(), [trajectory for _, trajectory in drawn], level=LEVEL)
    ends: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    truths: dict[str, list[float]] = defaultdict(list)
    num_unmixed = 0
    for n, ((truth, _), result) in enumerate(zip(drawn, results, strict=True)):
        by_kind, has_mixed = intervals(result, jax.random.key(seed + 1000 * index + n))
        num_unmixed += not has_mixed
        for name, value in true_values(truth).items():
            truths[name].append(value)
            for kind in KINDS:
                ends[name][kind].append(by_kind[kind][name])
    numbers = {
        name: compared(np.array(truths[name]), {k: np.array(v) for k, v in ends[name].items()})
        for name in truths
    }
    return {"num_curves": num_curves, "seed": seed, "num_unmixed": num_unmixed} | numbers


def compared(truths: np.ndarray, ends: dict[str, np.ndarray]) -> dict[str, Any]:
    """The agreement of each kind with the truth and with the profile, for one number."""
    reference = ends["profile"]
    width = reference[:, 1] - reference[:, 0]
    closed = np.isfinite(width)
    found: dict[str, Any] = {"fraction_closed": float(closed.mean())}
    for kind, both in ends.items():
        holds = (both[:, 0] <= truths) & (truths <= both[:, 1])
        apart = np.abs(both - reference)[closed].max(axis=1) / width[closed]
        found[kind] = {
            "coverage": float(holds.mean()),
            "coverage_closed": _or_none(np.mean, holds[closed]),
            "relative_width": _or_none(np.median, (both[closed] @ [-1.0, 1.0]) / width[closed]),
            "apart": _or_none(np.median, apart),
        }
    return found


def _or_none(statistic: Callable[[np.ndarray], Any], values: np.ndarray) -> float | None:
    return float(statistic(values)) if len(values) else None


def table(study: dict[str, Any], name: str) -> str:
    """For one number: coverage in percent and relative width, with one row per design."""
    lines = [f"| {name} | closed | " + " | ".join(KINDS) + " |", "|---" * (2 + len(KINDS)) + "|"]
    for label, design in study["designs"].items():
        numbers = design[name]
        cells = [
            f"{each['coverage']:.0%} ({_percent(each['coverage_closed'])})"
            + ("" if each["relative_width"] is None else f", {each['relative_width']:.2f}")
            for each in (numbers[kind] for kind in KINDS)
        ]
        cells[-1] += f" ({design['num_unmixed']} not mixed)" * (design["num_unmixed"] > 0)
        lines.append(f"| {label} | {numbers['fraction_closed']:.0%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{value:.0%}"


def main() -> None:
    """Run the missing designs, print the tables, and write the JSON after each design."""
    parser = argparse.ArgumentParser(description="agreement of four kinds of interval")
    parser.add_argument("--per-design", type=int, default=200, help="curves for each design")
    parser.add_argument("--seed", type=int, default=20261125, help="of the curves")
    parser.add_argument("--designs", type=int, nargs="+", help="indices of the grid; default: all")
    said = "write the results here; designs already in the file are not run again"
    parser.add_argument("--json", type=Path, required=True, help=said)
    args = parser.parse_args()
    study: dict[str, Any] = {"level": LEVEL, "noise": NOISE, "designs": {}}
    if args.json.exists():
        study = json.loads(args.json.read_text())
    for index, design in enumerate(designs()):
        label = f"{design.num_rows} rows, {design.decay_seen:.0%} seen"
        if label in study["designs"] or index not in (args.designs or range(len(designs()))):
            continue
        study["designs"][label] = run(index, args.per_design, args.seed)
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(study, indent=1, allow_nan=False) + "\n")
    for name in ("rate", "limit solver", "limit gap"):
        print(table(study, name), end="\n\n")


if __name__ == "__main__":
    main()
