"""Five seeds of the demo, its control and the weak verifier: `python experiments/seeds_study.py`.

Saves each run's trajectory in `experiments/results/seeds/`, with the changes from the first
checkpoint to the last in `summary.json`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path

from jaxgap.improve import ImproveConfig, improve_to_folder
from jaxgap.improve.presets import DEMO, WEAK_VERIFIER

RESULTS = Path(__file__).parent / "results" / "seeds"
RUNS = {
    "demo": DEMO,
    "random": dataclasses.replace(DEMO, verifier="random"),
    "weak": WEAK_VERIFIER,
}
REPORTED = (
    "solver",
    "verifier",
    "solver_accuracy",
    "verifier_accuracy",
    "judging_accuracy",
    "pass_at_k",
    "fallback",
)


def study_run(name: str, config: ImproveConfig) -> dict:
    """Do one run, keep its trajectory, and summarise it."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        metrics = improve_to_folder(config, Path(folder) / "run")
        for file in ("trajectory.csv", "trajectory.csv.json"):
            text = (Path(folder) / "run" / file).read_text()
            (RESULTS / file.replace("trajectory", f"{name}_seed{config.seed}")).write_text(text)
    seconds = time.perf_counter() - start
    first, last = metrics[0].row(), metrics[-1].row()
    changes = {key: [first[key], last[key]] for key in REPORTED}
    return {"run": name, "seed": config.seed, "seconds": round(seconds, 1)} | changes


def main(num_seeds: int) -> None:
    """Run every kind with every seed, sequentially."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(num_seeds):
        for name, config in RUNS.items():
            rows.append(study_run(name, dataclasses.replace(config, seed=seed)))
            print(json.dumps(rows[-1]), flush=True)
            (RESULTS / "summary.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-seeds", type=int, default=5, help="seeds of each kind of run")
    main(parser.parse_args().num_seeds)
