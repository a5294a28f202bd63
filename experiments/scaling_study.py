"""Weak and strong scaling in work per device: `python experiments/scaling_study.py`.

Timings on simulated devices are meaningless, since all of them share the machine's cores; the work
of each can be read from the compiled programs. The update step and the decode loop are compiled,
from shapes alone, for 1, 2, 4 and 8 devices along each axis of the mesh: strong scaling with a
fixed total number of rows, weak scaling with a fixed number per device. Counted on one device:
operations of products, bytes read and written, bytes received from other devices, and memory.

Results are written as they are made to results/scaling/MODEL.json, and those already there are not
compiled again; MODEL.png, drawn each time, shows them. (tests/sharding/sampling_on_devices.py
counts how SmolLM2 samples.)
"""

import argparse
import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Read when JAX starts.
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, StrMethodFormatter

from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
from jaxgap.models.axes import shapes_on_mesh
from jaxgap.planning.costs import count_costs
from jaxgap.planning.hlo import parse_module
from jaxgap.planning.known_models import read_decoder_config
from jaxgap.report.style import GAP, MUTED, SOLVER, VERIFIER, new_figure, to_png
from jaxgap.sampling.decode import decode
from jaxgap.sampling.shapes import DecodeShapes
from jaxgap.sharding import MESH_AXES, MeshShape, make_mesh, named_sharding, rows_sharding
from jaxgap.training import AdamW, Computation, Constant, TrainingBatch, update
from jaxgap.training.loss import positions_at_once

FOLDER = Path(__file__).parent / "results" / "scaling"
ROWS = {"update": 8, "decode": 16}
"""Rows per device in weak scaling; an eighth of all rows in strong scaling."""
ROW_LENGTH, GROUP_SIZE, MAX_STEPS = 256, 4, 16
AXES = {"small": MESH_AXES, "SmolLM2-135M": ("data", "fsdp")}
PROGRAMS = {"small": ("update", "decode"), "SmolLM2-135M": ("update",)}
NUM_DEVICES = (1, 2, 4, 8)
# Half powers of two, rounded.
TICKS = (0.125, 0.18, 0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 2.8, 4)


class Case(NamedTuple):
    """One program on one mesh; `rows` is the total over all devices."""

    program: str
    scaling: str
    axis: str
    num_devices: int
    rows: int


def cases(model_name: str) -> Iterator[Case]:
    for program in PROGRAMS[model_name]:
        rows = ROWS[program]
        for scaling in ("strong", "weak"):
            for axis in AXES[model_name]:
                for num_devices in NUM_DEVICES:
                    of_all = 8 * rows if scaling == "strong" else rows * num_devices
                    yield Case(program, scaling, axis, num_devices, of_all)


def language_model(name: str) -> LanguageModel:
    config = (
        DecoderConfig(
            vocab_size=2048,
            hidden_size=128,
            intermediate_size=512,
            num_layers=4,
            num_heads=16,
            num_kv_heads=8,
            head_dim=8,
        )
        if name == "small"
        else read_decoder_config(name)
    )
    letters = "".join(map(chr, range(0x10000, 0x10000 + config.vocab_size - 2)))
    return LanguageModel(config, CharTokenizer(letters))


def lowered_update(model: LanguageModel, mesh: Mesh, rows: int) -> tuple[Any, tuple[int, ...]]:
    """One step on two microbatches, and the trip counts of its loops."""
    optimizer = AdamW(Constant(1e-5))
    params = shapes_on_mesh(model.config, model.shapes())
    opt_state = jax.eval_shape(optimizer.transformation().init, params)
    opt_state = shapes_on_mesh(model.config, opt_state)
    sizes, place = (2, rows, ROW_LENGTH), rows_sharding(mesh, axis=1)
    whole = jax.ShapeDtypeStruct(sizes, jnp.int32, sharding=place)
    weights = jax.ShapeDtypeStruct(sizes, jnp.float32, sharding=place)
    batch: Any = TrainingBatch(whole, whole, whole, whole, weights)  # pyright: ignore[reportArgumentType]
    size = positions_at_once(rows, ROW_LENGTH, model.config.vocab_size)
    computation = Computation(remat_policy=jax.checkpoint_policies.nothing_saveable)
    program = update.lower(model, optimizer, computation, params, {}, opt_state, batch)
    return program, (2, -(-ROW_LENGTH // size))


def lowered_decode(model: LanguageModel, mesh: Mesh, rows: int) -> tuple[Any, tuple[int, ...]]:
    """A call of the decode loop, and its trip count."""
    shapes = DecodeShapes(rows // GROUP_SIZE, GROUP_SIZE, ROW_LENGTH // 2, ROW_LENGTH // 2)
    params, *cache, key, sampling_params, stops, min_live = shapes.decode_arguments(model)

    def sharded(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        names = ("batch", "kv_heads", None, None) if leaf.ndim == 4 else ("batch", None)
        sharding = named_sharding(mesh, names[: leaf.ndim], leaf.shape, model.config.num_kv_heads)
        return leaf.update(sharding=sharding)

    params = shapes_on_mesh(model.config, params)
    cache = jax.tree.map(sharded, cache)
    rest = (key, sampling_params, stops, min_live)
    return decode.lower(model, params, *cache, *rest, max_steps=MAX_STEPS), (MAX_STEPS,)


@functools.cache
def work(model: LanguageModel, program: str, shape: MeshShape, rows: int) -> dict[str, Any]:
    """The work of one device."""
    mesh = make_mesh(shape, jax.devices()[: shape.num_devices])
    lower = {"update": lowered_update, "decode": lowered_decode}[program]
    with jax.set_mesh(mesh):
        lowered, most_turns = lower(model, mesh, rows)
        compiled = lowered.compile()
    costs = count_costs(parse_module(compiled.as_text()), most_turns)
    memory = compiled.memory_analysis()
    return {
        "flops": costs.flops,
        "hbm_bytes": costs.hbm_bytes,
        "num_collectives": dict(costs.num_collectives),
        "collective_bytes": sum(costs.collective_bytes.values()),
        "argument_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
    }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Each per-device quantity relative to a single device, by the number of devices."""
    titles = {"flops": "products", "hbm_bytes": "bytes read and written", "memory": "memory"}
    kinds = list(dict.fromkeys((row["program"], row["scaling"]) for row in rows))
    with new_figure(10, 2.75 * len(kinds)) as figure:
        panels = figure.subplots(len(kinds), len(titles), sharex=True, sharey="row")
        for line, (program, scaling) in zip(panels, kinds, strict=True):
            of_kind = [r for r in rows if (r["program"], r["scaling"]) == (program, scaling)]
            for panel, (quantity, title) in zip(line, titles.items(), strict=True):
                _draw_panel(panel, of_kind, quantity)
                ideal = [1 / n if scaling == "strong" else 1.0 for n in NUM_DEVICES]
                panel.plot(NUM_DEVICES, ideal, "--", color=MUTED, label="shared evenly")
                panel.set_title(f"{program}, {scaling}: {title}")
            _label_axes(line[0])
        for panel in panels[-1]:
            panel.set_xlabel("devices")
        panels[0][0].legend()
        path.write_bytes(to_png(figure))


def _draw_panel(panel: Axes, rows: list[dict[str, Any]], quantity: str) -> None:
    for axis, colour in {"data": SOLVER, "fsdp": VERIFIER, "tensor": GAP}.items():
        curve = [_quantity(row, quantity) for row in rows if row["axis"] == axis]
        if curve:
            relative = [each / curve[0] for each in curve]
            panel.plot(NUM_DEVICES, relative, "o-", color=colour, label=axis)


def _label_axes(panel: Axes) -> None:
    """Logarithmic axes of the panels of a row, with at least three ticks."""
    panel.set_xscale("log", base=2)
    panel.set_yscale("log", base=2)
    panel.set_xticks(NUM_DEVICES, labels=[str(n) for n in NUM_DEVICES])
    low, high = panel.get_ylim()
    panel.set_ylim(min(low, 0.48), high)
    panel.yaxis.set_major_locator(FixedLocator(TICKS))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.set_ylabel("relative to one device")


def _quantity(row: dict[str, Any], name: str) -> float:
    return row["argument_bytes"] + row["temporary_bytes"] if name == "memory" else row[name]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.parse_args()  # --help ends here: what follows writes to FOLDER
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in AXES:
        path = FOLDER / f"{name}.json"
        rows = json.loads(path.read_text()) if path.exists() else []
        known = {tuple(row[field] for field in Case._fields): row for row in rows}
        model, done = language_model(name), []
        for case in cases(name):
            row = known.get(tuple(case))
            if row is None:
                shape = MeshShape(**{case.axis: case.num_devices})
                row = case._asdict() | work(model, case.program, shape, case.rows)
                print(name, row, flush=True)
                path.write_text(json.dumps([*done, row], indent=1) + "\n")
            done.append(row)
        path.write_text(json.dumps(done, indent=1) + "\n")
        draw(done, FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
