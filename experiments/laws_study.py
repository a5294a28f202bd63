"""Which law describes which run? Every law is fitted to every curve and compared with the paper's.

The weighted squared error of each law is divided by that of the paper's law: 1 is no better, and
0.5 explains half of what the paper's law leaves. More parameters can only lower the error, so AICc,
with the noise scale as an additional parameter, is given as well; it is undefined if a law has
nearly as many parameters as there are measurements. Without a verifier the drifting ratio is the
paper's law and is omitted.

    python experiments/laws_study.py DATA --json experiments/results/laws_study.json

DATA is a folder with a `manifest.csv`.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from jaxgap.fitting import FitResult, fit_many
from jaxgap.fitting.backtesting.manifest import ManifestEntry, UnreadableEntry, read_manifest
from jaxgap.fitting.selection import CANDIDATES

# Fewer rows than this determine no more than a straight line or two.
MIN_ROWS = 5
# A weighted squared error as small as this is round-off: the law is exact.
EXACT = 1e-18


def aicc(cost: float, num_points: int, num_free: int) -> float | None:
    """AICc, Akaike's criterion for few points, up to a constant; None if undefined."""
    k = num_free + 1
    if num_points <= k + 1 or cost < EXACT:
        return None
    penalty = 2 * k + 2 * k * (k + 1) / (num_points - k - 1)
    return num_points * math.log(cost / num_points) + penalty


def describe(entry: ManifestEntry, by_law: dict[str, FitResult]) -> dict[str, Any]:
    """Squared errors relative to the paper's law, AICc, and the fits' results."""
    has_verifier = entry.run.verifier is not None
    num_points = entry.run.num_rows * (1 + has_verifier)
    if not has_verifier:
        by_law = {name: result for name, result in by_law.items() if name != "drifting_ratio"}
    costs = {name: float(result.source.raw.cost) for name, result in by_law.items()}
    exact = costs["linear"] < EXACT
    criteria = {
        name: aicc(costs[name], num_points, result.source.problem.num_free(result.source.curves))
        for name, result in by_law.items()
    }
    known = {name: value for name, value in criteria.items() if value is not None}
    return {
        "file": entry.file,
        "num_rows": entry.run.num_rows,
        "has_verifier": has_verifier,
        "relative_squared_error": {
            name: None if exact else cost / costs["linear"] for name, cost in costs.items()
        },
        "aicc": criteria,
        "best_by_aicc": min(known, key=lambda name: known[name]) if known else None,
        "converged": {name: result.converged for name, result in by_law.items()},
        "parameters": {
            name: {key: value.estimate for key, value in result.parameters.items()}
            for name, result in by_law.items()
        },
        "solver_limit": {
            name: result.limits["solver"].to_dict() for name, result in by_law.items()
        },
    }


def table(series: list[dict[str, Any]]) -> str:
    """One row per run: relative squared errors, and the law that AICc prefers."""
    width = max(len(each["file"]) for each in series)
    names = [law.name for law in CANDIDATES[1:]]
    lines = [f"{'':<{width}}" + "".join(f"{name:>16}" for name in names) + "  best by AICc"]
    for each in series:
        errors = each["relative_squared_error"]
        cells = "".join(f"{_cell(errors.get(name)):>16}" for name in names)
        lines.append(f"{each['file']:<{width}}{cells}  {each['best_by_aicc']}")
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Fit all laws to all runs, print the table, and write the JSON."""
    parser = argparse.ArgumentParser(description="which law describes which run")
    parser.add_argument("data", type=Path, help="folder with a manifest.csv")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    found = read_manifest(args.data)
    curves = [each for each in found if isinstance(each, ManifestEntry)]
    for each in found:
        if isinstance(each, UnreadableEntry):
            print(f"left out: {each.problem}")
    entries = [each for each in curves if each.run.num_rows >= MIN_ROWS]
    fits = {law.name: fit_many(law, [entry.run for entry in entries]) for law in CANDIDATES}
    series = [
        describe(entry, {name: results[index] for name, results in fits.items()})
        for index, entry in enumerate(entries)
    ]
    print(table(series))
    if args.json is not None:
        args.json.write_text(json.dumps(series, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
