"""Do intervals keep their coverage when the data choose the law? A seeded study.

Curves are drawn from six laws, over a grid of lengths, noise levels and observed fractions, with
and without a verifier, including hard designs (six rows that cover half of the change). Each is
fitted by `fit_auto`, which is not told the law or the design. The study counts how often the
averaged 90 % intervals cover the truth: for each limit, and for each curve at 1.5 times the
observed time. An open end counts as infinite. It also counts open intervals, and the coverage where
the number is shown (a limit is withheld if its interval is open or uninformative).

    python experiments/auto_study.py --json experiments/results/auto_study.json
"""

import argparse
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgap.fitting.selection import AveragedResult, fit_auto_many
from jaxgap.trajectory import Trajectory

NUM_ROWS = (6, 10, 16)
NOISE = (0.005, 0.02, 0.05)
PART_SEEN = (0.5, 0.8, 0.95)
HAS_VERIFIER = (True, False)
LEVEL = 0.9
# The horizon as a multiple of the last measured time.
_AHEAD = 1.5


class Design(NamedTuple):
    """The true law, and the experimenter's choices.

    `noise` is relative to the solver's total change; `part_seen` is the fraction of that change
    reached by the last row, or of the change up to the turn in a run that turns.
    """

    law: str
    num_rows: int
    noise: float
    part_seen: float
    has_verifier: bool


class Shape(NamedTuple):
    """The progress of both capabilities against time, in units of the inverse rate.

    - `solver`, `verifier`: 0 at time 0; they tend to `limits`.
    """

    solver: Callable[[np.ndarray], np.ndarray]
    verifier: Callable[[np.ndarray], np.ndarray]
    limits: tuple[float, float]


def draw_shape(law: str, rng: np.random.Generator) -> Shape:
    """A random instance of a law."""
    ratio = rng.uniform(0.2, 0.7)

    def same(part: Callable[[np.ndarray], np.ndarray], end: float = 1.0) -> Shape:
        return Shape(part, lambda t: ratio * part(t), (end, ratio * end))

    if law == "linear":
        return same(lambda t: -np.expm1(-t))
    if law == "power":
        power = 1 / (rng.uniform(1.3, 3.0) - 1)
        return same(lambda t: 1 - (1 + t / power) ** -power)
    if law == "lagged":
        useless = rng.uniform(0.6, 0.95)
        return same(lambda t: -(1 - useless) * np.expm1(-t) / (1 + useless * np.expm1(-t)))
    if law == "rise_then_fall":
        erosion, loss = rng.uniform(0.05, 0.3), rng.uniform(0.3, 1.0)

        def risen(t):
            lost = 1 - (np.exp(-erosion * t) - erosion * np.exp(-t)) / (1 - erosion)
            return -np.expm1(-t) - loss * lost

        return same(risen, 1 - loss)
    if law == "general_linear":
        slower, part = rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.7)
        other, whole = rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.7)

        def mixed(fast, total):
            return lambda t: -total * (fast * np.expm1(-t) + (1 - fast) * np.expm1(-slower * t))

        return Shape(mixed(part, 1.0), mixed(other, whole), (1.0, whole))
    return _drifting(rng)


def _drifting(rng: np.random.Generator) -> Shape:
    """An exponential gap, and a ratio linear in the gap between its initial and final values."""
    early, late = rng.uniform(0.1, 0.4), rng.uniform(0.45, 0.8)
    slope = early - late

    def solver_way(excess):
        """The solver's progress while the gap's excess falls from 1 to `excess`."""
        return (np.log(1 - late - slope) - np.log(1 - late - slope * excess)) / -slope

    whole = solver_way(0.0)
    return Shape(
        lambda t: solver_way(np.exp(-t)) / whole,
        lambda t: (solver_way(np.exp(-t)) + np.expm1(-t)) / whole,
        (1.0, (whole - 1) / whole),
    )


LAWS = ("linear", "power", "general_linear", "drifting_ratio", "lagged", "rise_then_fall")


def designs() -> list[Design]:
    """The whole grid."""
    factors = (LAWS, NUM_ROWS, NOISE, PART_SEEN, HAS_VERIFIER)
    return [Design(*design) for design in itertools.product(*factors)]


class Truth(NamedTuple):
    """The true values: limits, and the capabilities at the horizon, by curve name."""

    limits: dict[str, float]
    horizon: float
    ahead: dict[str, float]


def draw(design: Design, rng: np.random.Generator) -> tuple[Truth, Trajectory]:
    """A random curve, and its measurements according to the design."""
    shape = draw_shape(design.law, rng)
    way = rng.uniform(0.8, 1.5)
    solver_limit = rng.uniform(0.2, 0.6)
    gap_limit = rng.uniform(0.0, 0.1)

    def capabilities(ts: np.ndarray) -> np.ndarray:
        solver = solver_limit + way * (shape.limits[0] - shape.solver(ts))
        verifier = solver_limit - gap_limit + way * (shape.limits[1] - shape.verifier(ts))
        return np.stack([solver, verifier])

    ts = np.linspace(0.0, _end(shape, design.part_seen), design.num_rows)
    noise = design.noise * way * rng.standard_normal((2, design.num_rows))
    solver, verifier = capabilities(ts) + noise
    horizon = _AHEAD * ts[-1]
    ahead = capabilities(np.array([horizon]))[:, 0]
    truth = Truth(
        _by_curve(solver_limit, solver_limit - gap_limit, design.has_verifier),
        horizon,
        _by_curve(float(ahead[0]), float(ahead[1]), design.has_verifier),
    )
    return truth, Trajectory(ts, solver, verifier if design.has_verifier else None)


def _by_curve(solver: float, verifier: float, has_verifier: bool) -> dict[str, float]:
    if not has_verifier:
        return {"solver": solver}
    return {"solver": solver, "verifier": verifier, "gap": solver - verifier}


def _end(shape: Shape, part_seen: float) -> float:
    """When the solver reaches `part_seen`; for a run that turns, a time well past the turn."""
    ts = np.linspace(0.0, 200.0, 400_001)
    part = shape.solver(ts)
    peak = int(np.argmax(part))
    target = part_seen * part[peak]
    end = float(ts[int(np.argmax(part >= target))])
    turns = part[peak] > shape.limits[0] + 1e-3
    return end * (1 + 4 * part_seen) if turns else end


def run(num_per_design: int, seed: int) -> dict[str, Any]:
    """The whole study: coverage and open ends, overall and for each value of each factor."""
    drawn = [
        (design, *draw(design, np.random.default_rng([seed, index, repeat])))
        for index, design in enumerate(designs())
        for repeat in range(num_per_design)
    ]
    results = fit_auto_many([trajectory for *_, trajectory in drawn], level=LEVEL)
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    weights: dict[str, list[dict[str, float]]] = defaultdict(list)
    for (design, truth, _), result in zip(drawn, results, strict=True):
        weights[design.law].append(result.weights)
        for name, judged in (*_limits(result, truth), *_ahead(result, truth)):
            kind = name.split()[0]
            factors = {f"{key}={value}" for key, value in design._asdict().items()}
            for group in (kind, name, *(f"{kind} {factor}" for factor in factors)):
                groups[group].append(judged)
    return {
        "level": LEVEL,
        "seed": seed,
        "num_curves": len(drawn),
        "not_converged": sum(not result.converged for result in results),
        "groups": {group: _means(judged) for group, judged in sorted(groups.items())},
        "mean_weights": {law: _means(each) for law, each in weights.items()},
    }


def _limits(result: AveragedResult, truth: Truth) -> Iterator[tuple[str, dict[str, float]]]:
    """The counts for each limit."""
    best = result.laws[result.best].limits
    for curve, value in truth.limits.items():
        limit = result.limits[curve]
        judged = _judged(limit.interval or (None, None), value, limit.estimate is not None)
        alone = _judged(best[curve].interval or (None, None), value, shown=True)
        yield f"limit {curve}", judged | {"best_law_holds": alone["holds"]}


def _ahead(result: AveragedResult, truth: Truth) -> Iterator[tuple[str, dict[str, float]]]:
    """The counts for each curve at the horizon."""
    prediction = result.predict([truth.horizon])
    for curve, value in truth.ahead.items():
        band = getattr(prediction, curve)
        ends = [float(end) if np.isfinite(end) else None for end in (band.lower[0], band.upper[0])]
        yield f"ahead {curve}", _judged(ends, value, shown=None not in ends)


def _judged(interval: Sequence[float | None], truth: float, shown: bool) -> dict[str, float]:
    """Whether the interval covers the truth, is open, is shown; and covers it if it is shown."""
    low, high = interval
    holds = (low is None or low <= truth) and (high is None or truth <= high)
    found = {"holds": float(holds), "open": float(None in interval), "shown": float(shown)}
    return found | {"holds_if_shown": float(holds)} if shown else found


def _means(counted: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each name over the entries that have it."""
    names = dict.fromkeys(name for each in counted for name in each)
    return {name: float(np.mean([e[name] for e in counted if name in e])) for name in names}


def table(study: dict[str, Any]) -> str:
    """A table in percent, with one row per group."""
    width = max(map(len, study["groups"]))
    names = ("holds", "open", "shown", "holds_if_shown", "best_law_holds")
    lines = [" " * width + "".join(f"{name:>16}" for name in names)]
    for group, values in study["groups"].items():
        cells = (f"{100 * values[name]:.1f}" if name in values else "" for name in names)
        lines.append(f"{group:<{width}}" + "".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Run the study, print its table, and write the JSON if requested."""
    parser = argparse.ArgumentParser(description="coverage of intervals averaged over laws")
    parser.add_argument("--per-design", type=int, default=7, help="curves for each design")
    parser.add_argument("--seed", type=int, default=20261125, help="of the curves")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    study = run(args.per_design, args.seed)
    print(f"{study['num_curves']} curves, level {LEVEL}, {study['not_converged']} not converged")
    print(table(study))
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(study, indent=1) + "\n")


if __name__ == "__main__":
    main()
