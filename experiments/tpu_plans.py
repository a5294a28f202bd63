"""What three models' steps take of TPUs that are not here: `python experiments/tpu_plans.py`.

Compiled ahead of time by libtpu (extra `tpu`), from configurations alone. Each plan is written to
results/tpu_plans as it is made, and one that is there is not made again.
"""

import json
from pathlib import Path

from jaxgap.planning.known_models import read_decoder_config
from jaxgap.planning.plan import make_plan
from jaxgap.planning.workload import Workload
from jaxgap.sharding import MeshShape

FOLDER = Path(__file__).parent / "results" / "tpu_plans"
PLANS = [
    ("SmolLM2-135M", "v5e:2x2", MeshShape(fsdp=4), Workload()),
    ("Llama-3.2-3B", "v5e:4x4", MeshShape(fsdp=16), Workload()),
    ("Llama-3.1-8B", "v6e:4x4", MeshShape(fsdp=16), Workload()),
    ("Llama-3.1-8B", "v5e:8x8", MeshShape(fsdp=64), Workload(rows=64)),
]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for model, topology, shape, workload in PLANS:
        path = FOLDER / f"{model}_{topology.replace(':', '_')}.json"
        if not path.exists():
            plan = make_plan(read_decoder_config(model), topology, workload, shape, on_step=print)
            path.write_text(json.dumps({"model": model} | plan.to_dict(), indent=2) + "\n")
        print(path.read_text())


if __name__ == "__main__":
    main()
