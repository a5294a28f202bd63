"""Do 90 % intervals cover the truth 90 % of the time? A seeded study over a grid of designs.

Curves are drawn from the linear law with known parameters, noise is added, and each is fitted. The
study counts how often the interval of each parameter and limit covers the true value. The grid
crosses the number of rows, the noise, how much of the decay is observed, and whether the noise
scale is given; it includes hard designs (40 % of the decay from eight rows). An end that is
withheld, because the data set no bound on that side, counts as infinite.

    python experiments/coverage_study.py --json experiments/results/coverage_study.json
"""

import argparse
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgap.fitting import AbstractLaw, Estimate, FitResult, LinearLaw, fit_many
from jaxgap.trajectory import Trajectory

NUM_ROWS = (8, 12, 20)
NOISE = (0.005, 0.02, 0.05)
DECAY_SEEN = (0.4, 0.7, 0.95)
NOISE_GIVEN = (False, True)
LEVEL = 0.9


class Design(NamedTuple):
    """An experimenter's choices: rows, noise (relative to the solver's fall), observed decay."""

    num_rows: int
    noise: float
    decay_seen: float
    noise_given: bool


class Truth(NamedTuple):
    """A curve's true parameters, and the limits that follow."""

    rate: float
    ratio: float
    gap_limit: float
    solver_initial: float
    verifier_initial: float

    def limits(self) -> dict[str, float]:
        """The limits of the three curves."""
        excess = self.solver_initial - self.verifier_initial - self.gap_limit
        solver = self.solver_initial - excess / (1 - self.ratio)
        return {"solver": solver, "verifier": solver - self.gap_limit, "gap": self.gap_limit}


def designs() -> list[Design]:
    """The whole grid."""
    return [Design(*d) for d in itertools.product(NUM_ROWS, NOISE, DECAY_SEEN, NOISE_GIVEN)]


def draw(design: Design, rng: np.random.Generator) -> tuple[Truth, Trajectory]:
    """A curve with parameters drawn at random, measured according to the design."""
    rate, ratio = rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.7)
    excess, gap_limit = rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.1)
    verifier_initial = rng.uniform(0.4, 0.8)
    truth = Truth(rate, ratio, gap_limit, verifier_initial + gap_limit + excess, verifier_initial)
    ts = np.linspace(0.0, -np.log(1 - design.decay_seen) / rate, design.num_rows)
    fallen = -np.expm1(-rate * ts) * excess / (1 - ratio)
    scale = design.noise * excess / (1 - ratio)
    solver, verifier = (
        initial - share * fallen + scale * rng.standard_normal(design.num_rows)
        for initial, share in ((truth.solver_initial, 1.0), (verifier_initial, ratio))
    )
    given = np.full(design.num_rows, scale) if design.noise_given else None
    return truth, Trajectory(ts, solver, verifier, given, given)


def covers(estimate: Estimate, truth: float) -> bool:
    """Whether the interval covers the true value; a withheld end is infinite."""
    assert estimate.interval is not None
    low, high = estimate.interval
    return (low is None or low <= truth) and (high is None or truth <= high)


def run(law: AbstractLaw, num_per_design: int, seed: int, grid: list[Design]) -> dict[str, Any]:
    """The whole study: coverage by number, overall and for each value of each factor."""
    drawn = [
        (design, *draw(design, np.random.default_rng([seed, index, repeat])))
        for index, design in enumerate(grid)
        for repeat in range(num_per_design)
    ]
    results = fit_many(law, [trajectory for _, _, trajectory in drawn], level=LEVEL)
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    open_ended: dict[str, list[bool]] = defaultdict(list)
    for (design, truth, _), result in zip(drawn, results, strict=True):
        for name, hit, is_open in _judged(truth, result):
            open_ended[name].append(is_open)
            for group in ("all", *(f"{k}={v}" for k, v in design._asdict().items())):
                hits[group][name].append(hit)
            hits["design " + json.dumps(design)][name].append(hit)
    return {
        "law": law.name,
        "level": LEVEL,
        "seed": seed,
        "num_curves": len(drawn),
        "not_converged": sum(not result.converged for result in results),
        "open_ended": {name: float(np.mean(values)) for name, values in open_ended.items()},
        "coverage": {
            group: {name: float(np.mean(values)) for name, values in by_name.items()}
            for group, by_name in hits.items()
        },
    }


def _judged(truth: Truth, result: FitResult) -> list[tuple[str, bool, bool]]:
    """By name: whether the interval covers, and whether one of its ends is open."""
    pairs = {name: (result.parameters[name], value) for name, value in truth._asdict().items()}
    pairs |= {f"limit {n}": (result.limits[n], value) for n, value in truth.limits().items()}
    return [
        (name, covers(estimate, value), None in (estimate.interval or ()))
        for name, (estimate, value) in pairs.items()
    ]


def table(study: dict[str, Any]) -> str:
    """Coverage in percent, with a row per group and a column per number."""
    groups = {k: v for k, v in study["coverage"].items() if not k.startswith("design")}
    names = list(groups["all"])
    width = max(map(len, groups))
    lines = [" " * width + "".join(f"{name:>18}" for name in names)]
    lines += [
        f"{group:<{width}}" + "".join(f"{100 * values[name]:>18.1f}" for name in names)
        for group, values in groups.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Run the study, print its table, and write the JSON if requested."""
    parser = argparse.ArgumentParser(description="coverage of the intervals of a fit")
    parser.add_argument("--per-design", type=int, default=40, help="curves for each design")
    parser.add_argument("--seed", type=int, default=20261124, help="of the curves")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    study = run(LinearLaw(), args.per_design, args.seed, designs())
    print(f"{study['num_curves']} curves, level {LEVEL}, {study['not_converged']} not converged")
    print(table(study))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(study, indent=1) + "\n")


if __name__ == "__main__":
    main()
