"""Does it matter when external data are used? The paper's table and what its own law predicts.

The law is fitted to each panel of the paper's Figure 4, the run is assumed to restart, and a budget
of external data is spent in round 1, evenly over rounds 1 to 10, or in round 8, where the
verifier's uncertainty jumps. The paper reports accuracies and the law predicts uncertainties, so
only the order of the three schedules and the ratios of their gains over self-improvement alone can
be compared.

    python experiments/external_data.py DATA --json experiments/results/external_data.json

DATA is a folder with `phi4mini_math_qe.csv` and `phi4mini_gsm8k_qe.csv` (columns t, solver,
verifier), the points of that figure.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.external_data.best_schedule import best_schedule
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.schedule_outcomes import law_of
from jaxgap.fitting.external_data.under_schedule import invalid_reason, limit_slopes
from jaxgap.trajectory.read import read_trajectory

ROUNDS = np.arange(1.0, 11.0)
STRENGTHS = (1e-6, 0.05, 0.1, 0.2, 0.4)
PANELS = {"Phi-4-mini Math": "phi4mini_math_qe.csv", "Phi-4-mini GSM8K": "phi4mini_gsm8k_qe.csv"}
# Accuracies in %: Sun et al. (arXiv:2507.00075v4), section 5.
PAPER = {
    "Phi-4-mini Math": {"alone": 45.08, "early": 46.33, "uniform": 46.56, "late": 45.83},
    "Phi-4-mini GSM8K": {"alone": 88.53, "early": 88.54, "uniform": 88.44, "late": 88.90},
    "Llama-3.2-3B Math": {"alone": 49.16, "early": 53.48, "uniform": 52.74, "late": 51.31},
}


def schedules(rounds: np.ndarray, late: float) -> list[DataSchedule]:
    """Round 1, all rounds, and the round at `late`."""
    return [
        DataSchedule.early(rounds),
        DataSchedule.uniform(rounds),
        DataSchedule("late", rounds, (rounds == late).astype(float)),
    ]


def predict(law: GapDynamics, rounds: np.ndarray, late: float) -> dict[str, Any]:
    """Gains of the solver's limit per gamma, relative to early, and which schedules are valid."""
    plain = limit_slopes(law, DataSchedule.early(rounds), 0.0).limit
    form: dict[str, Any] = {}
    for strength in STRENGTHS:
        gains = {
            s.name: plain - limit_slopes(law, s, strength).limit for s in schedules(rounds, late)
        }
        best = best_schedule(law, strength, rounds)
        form[f"{strength:g}"] = {
            "gain_per_gamma": {name: gain / strength for name, gain in gains.items()},
            "relative_to_early": {name: gain / gains["early"] for name, gain in gains.items()},
            "invalid": {
                s.name: reason
                for s in schedules(rounds, late)
                if (reason := invalid_reason(law, s, strength)) is not None
            },
            "best_shares": best.schedule.shares.tolist(),
        }
    return form


def reported() -> dict[str, Any]:
    """The paper's gains over self-improvement alone, in points, and their order."""
    form = {}
    for name, values in PAPER.items():
        gains = {
            key: round(values[key] - values["alone"], 2) for key in ("early", "uniform", "late")
        }
        form[name] = {"gain": gains, "order": sorted(gains, key=lambda key: -gains[key])}
    return form


def main() -> None:
    """Fit, predict, and write the results."""
    parser = argparse.ArgumentParser(description="compare the paper's table with the exact jump")
    parser.add_argument("data", type=Path, help="folder with the points of Figure 4")
    parser.add_argument("--json", type=Path, help="write the results here")
    options = parser.parse_args()
    result: dict[str, Any] = {"rounds": ROUNDS.tolist(), "reported": reported(), "predicted": {}}
    for name, file in PANELS.items():
        law = law_of(fit(LinearLaw(), read_trajectory(options.data / file)))
        result["predicted"][name] = predict(law, ROUNDS, 8.0)
    # Rounded parameters near the first panel's, in units of the initial U_s.
    idealised = GapDynamics(
        potential=LinearPotential(0.348, 0.066),
        coupling=RankOneCoupling(0.4),
        solver_initial=1.0,
        verifier_initial=0.45,
    )
    result["predicted"]["idealised, first round at t0"] = predict(idealised, ROUNDS - 1, 8.0)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    for name, by_strength in result["predicted"].items():
        print(name, json.dumps(by_strength["1e-06"]["gain_per_gamma"]))
    print(json.dumps(result["reported"], indent=1))


if __name__ == "__main__":
    main()
