"""SmolLM2-135M improves itself at one-digit products: three seeds of twenty checkpoints.

The problems are the one-digit products of reasoning-gym's `products`, asked as "What is 7 * 8?"
after four solved ones, since without those the model writes essays (1 % right). They are written to
a file of prompts and answers. The verifier is the model's own likelihood of a candidate, and only
adapters are trained. Runs are kept in the folder given by `--runs` and resume where they were
interrupted. Their measurements, configuration, versions and pictures are copied to
`experiments/results/smollm2`, with the results of the fits in `summary.json`.

    python experiments/smollm2_study.py SmolLM2-135M-Instruct.Q4_1.gguf --runs runs/smollm2
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import reasoning_gym

from jaxgap.fitting import LinearLaw, fit
from jaxgap.fitting.selection import fit_auto
from jaxgap.improve import ImproveConfig, improve_to_folder, resume_folder
from jaxgap.report.accuracies import draw_accuracies
from jaxgap.report.curves import draw_curves
from jaxgap.report.style import to_png
from jaxgap.trajectory import read_csv

RESULTS = Path(__file__).parent / "results" / "smollm2"
KEPT = ("trajectory.csv", "trajectory.csv.json", "config.json", "versions.json", "timings.jsonl")
REPORTED = ("solver_accuracy", "verifier_accuracy", "pass_at_k", "judging_auc", "distinct_answers")


def write_products(path: Path) -> None:
    """The distinct one-digit products, in the order in which they are generated."""
    problems = reasoning_gym.create_dataset(
        "products", size=3000, seed=0, min_terms=2, max_terms=2, min_digits=1, max_digits=1
    )
    answers = {asked(problem["question"]): problem["answer"] for problem in problems}
    records = [{"prompt": prompt, "answer": answer} for prompt, answer in answers.items()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def asked(question: str) -> str:
    """A question of the set, reduced to the product it asks for."""
    factors = re.search(r"\d+ \* \d+", question)
    assert factors is not None
    return f"What is {factors[0]}?"


def config(model: Path, products: Path, seed: int) -> ImproveConfig:
    """One seed's run."""
    return ImproveConfig(
        model=str(model),
        task=f"json:{products}",
        task_options=json.dumps({"num_examples": 4}),
        verifier="likelihood",
        num_rounds=19,
        num_train_prompts=36,
        num_held_out_prompts=48,
        num_candidates=8,
        max_new_tokens=8,
        batch_size=12,
        microbatch_size=6,
        lora_rank=16,
        learning_rate=2e-4,
        seed=seed,
    )


def run(model: Path, products: Path, folder: Path, seed: int) -> None:
    """Start or resume a seed's run."""
    if (folder / "config.json").exists():
        resume_folder(folder)
    else:
        improve_to_folder(config(model, products, seed), folder)


def summarise(model: Path, folder: Path, seed: int) -> dict:
    """Copy a run's measurements, plot them, and return the fits' results."""
    trajectory = read_csv(folder / "trajectory.csv")
    for name in KEPT:
        text = (folder / name).read_text()
        for place in (model.parent, folder.parent):  # files by name, without their folders
            text = text.replace(f"{place}/", "")
        (RESULTS / f"seed{seed}_{name}").write_text(text)
    result, chosen = fit(LinearLaw(), trajectory), fit_auto(trajectory)
    figures = {"curves": draw_curves(trajectory, result), "accuracies": draw_accuracies(trajectory)}
    for name, figure in figures.items():
        (RESULTS / f"seed{seed}_{name}.png").write_bytes(to_png(figure))
    (RESULTS / f"seed{seed}_fit.txt").write_text(result.report() + "\n")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    changes = {name: [rows[0][name], rows[-1][name]] for name in ("solver", "verifier", *REPORTED)}
    return {"seed": seed, "num_checkpoints": len(rows), "weights": chosen.weights} | changes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="SmolLM2-135M-Instruct, a .gguf file or a folder")
    parser.add_argument("--runs", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--num-seeds", type=int, default=3, help="number of runs")
    options = parser.parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    options.runs.mkdir(parents=True, exist_ok=True)
    products = options.runs / "products.jsonl"
    write_products(products)
    summary = []
    for seed in range(options.num_seeds):
        folder = options.runs / f"seed{seed}"
        run(options.model, products, folder, seed)
        summary.append(summarise(options.model, folder, seed))
        (RESULTS / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
