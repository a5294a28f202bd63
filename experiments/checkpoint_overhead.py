"""What checkpoints cost a run of SmolLM2-135M that trains all parameters, as a fraction of a round.

The same rounds are timed alternately in the bare loop, which saves nothing, and as a run in a
folder, which saves its measurements and, in the background, 1.6 GB a round (parameters and two
moments). Both compute the same numbers. Times are compared from the second round on, when
everything is compiled, and include the effect of a save that is still going on in the background.
The stages of the folder's round are timed as well.

    python experiments/checkpoint_overhead.py SmolLM2-135M-Instruct.Q4_1.gguf [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

from jaxgap.improve import ImproveConfig, improve_to_folder
from jaxgap.improve.assembly import run

STAGES = ("generate", "verify", "select", "measure", "between", "train")
NUM_COMPILING = 1
"""Initial rounds that are not counted."""


def config(model: Path, num_rounds: int, max_new_tokens: int) -> ImproveConfig:
    """Rounds of 512 completions, which is small: the larger a round, the less a save matters."""
    return ImproveConfig(
        model=str(model),
        task="addition",
        verifier="likelihood",
        num_rounds=num_rounds,
        num_train_prompts=32,
        num_held_out_prompts=32,
        num_candidates=8,
        max_new_tokens=max_new_tokens,
        batch_size=16,
        microbatch_size=4,
        learning_rate=1e-6,
    )


def bare(settings: ImproveConfig) -> list[float]:
    """Seconds of each round without a folder."""
    moments = []
    for _ in run(settings):
        moments.append(time.perf_counter())
    return [after - before for before, after in itertools.pairwise(moments)]


def kept(settings: ImproveConfig) -> list[dict[str, float]]:
    """Seconds of each round's stages, with checkpoints."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        improve_to_folder(settings, folder)
        rows = (folder / "timings.jsonl").read_text().splitlines()
    return [json.loads(row) for row in rows[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", type=Path, help="SmolLM2-135M-Instruct, a .gguf file or a folder")
    parser.add_argument("--num-rounds", type=int, default=6, help="rounds of each run")
    parser.add_argument("--num-repeats", type=int, default=2, help="runs of each kind")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--max-new-tokens", type=int, default=16, help="more make a round longer")
    options = parser.parse_args()
    settings = config(options.model, options.num_rounds, options.max_new_tokens)
    without: list[float] = []
    stages: list[dict[str, float]] = []
    for _ in range(options.num_repeats):
        without += bare(settings)[NUM_COMPILING:]
        stages += kept(settings)[NUM_COMPILING:]
    totals = [sum(row[stage] for stage in STAGES) for row in stages]
    results = {
        "max_new_tokens": options.max_new_tokens,
        "seconds_without": without,
        "seconds_with": totals,
        "overhead": statistics.median(totals) / statistics.median(without) - 1,
        "stages": {stage: statistics.median(row[stage] for row in stages) for stage in STAGES},
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(results, indent=1))
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
