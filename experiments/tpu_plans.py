"""What the steps of three models cost on TPUs, without TPUs: `python experiments/tpu_plans.py`.

Steps are compiled ahead of time by libtpu (extra `tpu`), from configurations alone. Each is written
to results/tpu_plans as soon as it is planned, and those already there are not planned again.
`--only PLAN STEP` plans only one step; PLAN is the name of its file without `.json`.
"""

import argparse
import json
import time
from pathlib import Path

import jax

from jaxgap.planning.known_models import read_decoder_config
from jaxgap.planning.plan import make_plan
from jaxgap.planning.workload import STEP_NAMES, Workload
from jaxgap.sharding import MeshShape

FOLDER = Path(__file__).parent / "results" / "tpu_plans"
PLANS = [
    ("SmolLM2-135M", "v5e:2x2", MeshShape(fsdp=4), Workload()),
    ("SmolLM2-135M", "v5e:2x2", MeshShape(data=4), Workload()),
    ("Llama-3.2-3B", "v5e:4x4", MeshShape(fsdp=16), Workload()),
    ("Llama-3.2-3B", "v5e:4x4", MeshShape(fsdp=2, tensor=8), Workload()),
    ("Llama-3.1-8B", "v6e:4x4", MeshShape(fsdp=16), Workload()),
    ("Llama-3.1-8B", "v5e:8x8", MeshShape(fsdp=64), Workload(prompts_per_call=64, rows=64)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs=2, metavar=("PLAN", "STEP"), help="plan only this step")
    only = parser.parse_args().only
    jax.config.update("jax_platforms", "cpu")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for model, topology, shape, workload in PLANS:
        words = [model, topology.replace(":", "_")]
        words += [f"{axis}{size}" for axis, size in shape._asdict().items() if size > 1]
        path = FOLDER / f"{'_'.join(words)}.json"
        for name in STEP_NAMES:
            if only not in (None, [path.stem, name]):
                continue
            found = json.loads(path.read_text()) if path.exists() else {"steps": {}}
            if name in found["steps"]:
                continue
            begun = time.perf_counter()
            plan = make_plan(
                read_decoder_config(model), topology, workload, shape, names=[name], on_step=print
            ).to_dict()
            plan["steps"][name]["compile_seconds"] = round(time.perf_counter() - begun, 1)
            plan["steps"] = found["steps"] | plan["steps"]
            path.write_text(json.dumps({"model": model} | plan, indent=2) + "\n")


if __name__ == "__main__":
    main()
