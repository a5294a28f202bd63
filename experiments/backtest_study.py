"""Do forecasts beat the obvious baselines, on measured and on simulated curves?

Measured: the public backtest over a folder with a manifest, summarised for the longer `grpo/` runs
(25 rows and more, a fifth of which is at least five) and for all runs.

Simulated: learning curves from a generator outside the forecast's family, to which nothing was
tuned. Each of a population of prompts has its own log-odds of a right answer and learns from its
rewarded samples (at speed p (1 - p), or its square root); part of the learning is shared between
prompts. The answer format may have to be learnt first, the learning rate may decay, and the model
may forget or be over-optimised. Training adds a random walk, and the test set binomial noise.

    python experiments/backtest_study.py DIR --json experiments/results/backtest.json
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgap.fitting.backtesting import BacktestReport, ScoredForecast, backtest
from jaxgap.fitting.backtesting.backtest import PREFIXES, summarise

NUM_PROMPTS = 300
SUBSTEPS = 10
SEED = 0


def is_long_grpo(scored: ScoredForecast) -> bool:
    """Whether this is one of the longer `grpo/` runs."""
    return scored.file.startswith("grpo/") and scored.num_rows >= 25


def by_prefix(scored: list[ScoredForecast]) -> dict[str, Any]:
    """A summary for each prefix."""
    return {
        str(prefix): summarise([each for each in scored if each.prefix == prefix])
        for prefix in PREFIXES
    }


def simulate_curve(rng: np.random.Generator) -> tuple[np.ndarray, int, bool]:
    """Accuracies of one simulated run, the number of items, and whether the record states it."""
    num_rows = int(np.exp(rng.uniform(np.log(20), np.log(80))))
    odds = rng.normal(-1.0, 1.5) + np.exp(rng.normal(np.log(2), 0.5)) * rng.normal(size=NUM_PROMPTS)
    solvable = rng.random(NUM_PROMPTS) < np.exp(-rng.exponential(0.2))
    speed = np.exp(rng.uniform(np.log(2), np.log(100)))
    shared, root = rng.random(), rng.choice([1.0, 0.5])
    well_formed = min(1.0, np.exp(rng.normal(np.log(0.15), 0.6))) if rng.random() < 0.5 else 1.0
    format_speed = np.exp(rng.normal(np.log(30), 0.8))
    schedule = rng.choice(["constant", "cosine", "linear"])
    forgetting = np.exp(rng.normal(np.log(0.3), 0.8)) if rng.random() < 0.4 else 0.0
    overdone = np.exp(rng.normal(np.log(3), 0.7)) if rng.random() < 0.15 else 0.0
    onset = rng.uniform(0.02, 0.6)
    wander_scale, memory = np.exp(rng.normal(np.log(0.15), 0.6)), np.exp(rng.uniform(-3.5, 0))
    dt = 1 / (num_rows - 1) / SUBSTEPS
    start, wander, accuracies = odds.copy(), 0.0, []
    for step in range((num_rows - 1) * SUBSTEPS + 1):
        if step % SUBSTEPS == 0:
            accuracies.append(np.mean(_logistic(odds + wander) * solvable) * well_formed)
        t = step * dt
        rates = {"constant": 1.0, "cosine": 0.5 * (1 + np.cos(np.pi * t)), "linear": 1 - t}
        rate = rates[str(schedule)]
        p = _logistic(odds)
        reward = (p * (1 - p)) ** root * solvable
        learning = speed * rate * well_formed * ((1 - shared) * reward + shared * reward.mean())
        overdoing = overdone * rate * max(0.0, (t - onset) / (1 - onset))
        odds = odds + dt * (learning - forgetting * (odds - start) - overdoing)
        wander += -wander / memory * dt + wander_scale * np.sqrt(2 / memory * dt) * rng.normal()
        doubt = np.sqrt(well_formed * (1 - well_formed))
        well_formed += dt * format_speed * rate * doubt * well_formed * (1 - well_formed)
        well_formed = min(well_formed, 1.0)
    num_items = int(rng.choice([128, 256, 500, 1024, 1319, 2000]))
    measured = rng.binomial(num_items, np.clip(accuracies, 0, 1)) / num_items
    return measured, num_items, bool(rng.random() < 0.6)


def _logistic(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))


def simulated_backtest(num_curves: int) -> BacktestReport:
    """The same backtest over a folder of simulated curves."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "manifest.csv").open("w", newline="") as file:
            manifest = csv.writer(file)
            manifest.writerow(["file", "kind", "n", "time_unit", "source"])
            for index in range(num_curves):
                accuracies, num_items, told = simulate_curve(rng)
                rows = "".join(f"{t},{value}\n" for t, value in enumerate(accuracies))
                (folder / f"{index}.csv").write_text("t,solver\n" + rows)
                told_items = num_items if told else ""
                manifest.writerow([f"{index}.csv", "accuracy", told_items, "step", "simulated"])
        return backtest(folder, key=jax.random.key(SEED))


def main() -> None:
    parser = argparse.ArgumentParser(description="Score forecasts of measured and simulated runs.")
    parser.add_argument("folder", type=Path, help="folder with a manifest.csv")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--num-simulated", type=int, default=150, help="number of simulated curves")
    options = parser.parse_args()
    measured = backtest(options.folder, key=jax.random.key(SEED))
    simulated = simulated_backtest(options.num_simulated)
    found = {
        "grpo_long": by_prefix([scored for scored in measured.series if is_long_grpo(scored)]),
        "simulated": by_prefix(list(simulated.series)) | {"coverage": simulated.coverage},
        "measured": measured.to_dict(),
    }
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    print(json.dumps({key: found[key] for key in ("grpo_long", "simulated")}, indent=1))
    print(f"coverage over all measured curves: {measured.coverage:.3f}")


if __name__ == "__main__":
    main()
