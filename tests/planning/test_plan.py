"""Plans for chips that are not there: refused inputs, and a small model compiled for one."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from typing import ClassVar

import jax
import pytest

from jaxgap.cli.main import run_command
from jaxgap.errors import InputError
from jaxgap.models.huggingface.config_json import config_json
from jaxgap.planning.chips import CHIPS, chip_of
from jaxgap.planning.compiled import StepCosts, needed_bytes
from jaxgap.planning.costs import Costs
from jaxgap.planning.known_models import KNOWN_MODELS, read_decoder_config
from jaxgap.planning.plan import make_plan, search_sizes
from jaxgap.planning.workload import STEP_NAMES, Workload

SMALL = Workload(
    prompt_length=32, completion_length=32, prompts_per_call=4, num_candidates=2, rows=8,
    judging_before=10, judging_after=20,
)  # fmt: skip


@pytest.mark.parametrize("topology", ["", "v5e", "v3:2x2", "v5e:2", "v5e:2x2;", "cpu:1x1"])
def test_other_topologies_are_refused(topology):
    with pytest.raises(InputError, match="a topology must look like v5e:4x4"):
        chip_of(topology)


@pytest.mark.parametrize(
    ("topology", "largest"),
    [("v5e:2x2x2", "16x16"), ("v5e:100x100", "16x16"), ("v6e:32x8", "16x16"), ("v5e:0x4", "16x16"),
     ("v5p:4x4", "16x16x24"), ("v5p:32x32x32", "16x16x24")],
)  # fmt: skip
def test_slices_that_do_not_exist_are_refused(topology, largest):
    with pytest.raises(InputError, match=f"is a box of at most {largest} chips, got '{topology}'"):
        chip_of(topology)


@pytest.mark.parametrize("topology", ["v5e:1x1", "v6e:16x16", "v5p:2x2x1", "v5p:16x16x24"])
def test_slices_that_exist_are_planned_for(topology):
    assert chip_of(topology).name == topology[:3]


def test_a_topology_is_described_in_silence_and_sigterm_ends_as_before():
    pytest.importorskip("libtpu")
    program = """
import os, signal
from jaxgap.planning.chips import describe
print(len(describe("v5e:2x4")), flush=True)
os.kill(os.getpid(), signal.SIGTERM)
signal.pause()
"""
    environment = {name: value for name, value in os.environ.items() if "TPU" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"JAX_PLATFORMS": "cpu"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("8\n", "", -signal.SIGTERM)


def test_a_workload_of_nothing_is_refused():
    with pytest.raises(InputError, match="rows must be at least 1, got 0"):
        Workload(rows=0)


def test_a_model_is_read_from_its_configuration(tmp_path):
    config = KNOWN_MODELS["Llama-3.2-3B"]
    (tmp_path / "config.json").write_text(json.dumps(config_json(config)))
    assert read_decoder_config(str(tmp_path)) == config
    with pytest.raises(
        InputError, match=r"model must be a config\.json, a folder with one, or one of Smol"
    ):
        read_decoder_config(str(tmp_path / "other"))


def test_what_fits_is_found_by_few_trials():
    for limit in (0, 3, 4, 100, 1023, 1024, 10**6):
        tried = []

        def fits(size, limit=limit, tried=tried):
            tried.append(size)
            return size <= limit

        sizes = [4 << i for i in range(9)]
        largest = max((size for size in sizes if size <= limit), default=None)
        smallest = min((size for size in sizes if size > limit), default=None)
        assert search_sizes(4, fits) == (largest, smallest)
        assert {largest, smallest} - {None} <= set(tried)
        assert len(tried) <= 4


class LinearSteps:
    """Steps of which none is compiled: memory grows with the rows."""

    asked: ClassVar[list] = []

    def __init__(self, config, mesh):
        pass

    def _cost(self, num_gigabytes, workload):
        self.asked.append(workload)
        return StepCosts(num_gigabytes * 2**30, 0, Costs())

    def update(self, workload):
        return self._cost(workload.rows, workload)

    def decode(self, workload):
        return self._cost(0, workload)

    def score(self, workload):
        return self._cost(9 * workload.num_candidates, workload)

    prefill = decode


@pytest.fixture
def linear_steps(monkeypatch):
    monkeypatch.setattr("jaxgap.planning.plan.Steps", LinearSteps)
    monkeypatch.setattr("jaxgap.planning.plan.describe", lambda topology: jax.devices()[:1])
    monkeypatch.setattr(LinearSteps, "asked", [])
    return LinearSteps.asked


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["update"], ["--rows, for update: 8 fits, 16 does not; nothing between was tried"]),
        (["decode"], ["--num-candidates, for decode: 256 fits; larger was not tried"]),
        (["decode", "score", "update"],
         ["--rows, for update: 8 fits, 16 does not; nothing between was tried",
          "--num-candidates, for decode and score: 1 fits, 2 does not; nothing between was tried"]),
    ],
)  # fmt: skip
def test_a_search_says_what_was_tried(linear_steps, tmp_path, capsys, steps, said):
    options = ["--rows=12", "--num-candidates=1", "--json", str(tmp_path / "plan.json")]
    plan = ["plan", "--model", "SmolLM2-135M", "--topology", "v5e:1x1", "--search", *options]
    run_command([*plan, "--steps", *steps])
    assert capsys.readouterr().out.splitlines()[-len(said) :] == said
    searched = json.loads((tmp_path / "plan.json").read_text())["searched"]
    assert [f"--{field.replace('_', '-')}" for field in searched] == [
        line.partition(",")[0] for line in said
    ]


def test_no_size_is_compiled_twice(linear_steps):
    config, sizes = KNOWN_MODELS["SmolLM2-135M"], Workload(num_candidates=16)
    make_plan(config, "v5e:1x1", sizes, names=["score"], search=True)
    assert len(linear_steps) == len(set(linear_steps))


def test_a_chip_too_small_for_anything(linear_steps, monkeypatch, capsys):
    tiny = CHIPS["v5e"]._replace(hbm_bytes=1)
    monkeypatch.setitem(CHIPS, "v5e", tiny)
    plan = ["plan", "--model", "SmolLM2-135M", "--topology", "v5e:1x1", "--search"]
    with pytest.raises(SystemExit, match="1"):
        run_command([*plan, "--steps", "update"])
    assert "--rows, for update: not even 1 fits" in capsys.readouterr().out


def test_a_search_needs_a_step_whose_size_is_searched():
    with pytest.raises(InputError, match="a search needs at least one of the steps update, dec"):
        make_plan(KNOWN_MODELS["SmolLM2-135M"], "v5e:2x2", SMALL, names=["prefill"], search=True)


def test_a_plan_of_no_steps_is_refused():
    with pytest.raises(InputError, match="a plan needs at least one of the steps prefill"):
        make_plan(KNOWN_MODELS["SmolLM2-135M"], "v5e:2x2", SMALL, names=[])


def test_what_was_not_compiled_does_not_fit():
    chip = CHIPS["v5e"]
    assert not StepCosts(1, 0, None).fits(chip)
    assert StepCosts(chip.hbm_bytes, 0, Costs()).fits(chip)
    assert not StepCosts(chip.hbm_bytes + 1, 0, Costs()).fits(chip)
    assert StepCosts(1, 0, Costs(flops=2 * chip.flops)).least_seconds(chip)["products"] == 2


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO "
         "temporaries (1.20T) exceeds available HBM (15.75G).", int(1.2 * 2**40)),
        ("RESOURCE_EXHAUSTED: ... Used 31.50M of 15.75G hbm. Exceeded", int(31.5 * 2**20)),
        ("INTERNAL: Used 31.50M of 15.75G hbm", None),
        ("RESOURCE_EXHAUSTED: too many open files", None),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_needed(message, expected):
    assert needed_bytes(message) == expected


@pytest.mark.slow
def test_a_small_model_is_compiled_for_four_chips(tmp_path, capsys):
    pytest.importorskip("libtpu")
    config = dataclasses.replace(KNOWN_MODELS["SmolLM2-135M"], num_layers=2)
    (tmp_path / "config.json").write_text(json.dumps(config_json(config)))
    sizes = [f"--{field.name.replace('_', '-')}={getattr(SMALL, field.name)}"
             for field in dataclasses.fields(SMALL) if getattr(SMALL, field.name)]  # fmt: skip
    plan = ["plan", "--model", str(tmp_path), "--topology", "v5e:2x2", *sizes]
    run_command([*plan, "--json", str(tmp_path / "plan.json")])
    steps = json.loads((tmp_path / "plan.json").read_text())["steps"]
    assert set(steps) == set(STEP_NAMES)
    vocabulary = 576 * 49_152

    def layer(num_tokens, num_slots):
        """A layer's products for so many tokens, each of which sees so many slots."""
        weights = 576 * (576 * 2 + 192 * 2) + 3 * 576 * 1536
        return num_tokens * (weights + 2 * num_slots * 576)

    def keys_and_values(num_tokens):
        """All that is left of the last layer where nothing is predicted."""
        return num_tokens * 576 * 2 * 192

    # On each chip: one prompt of four, and the two rows that continue it.
    prompt, rows, slots = 32, 2, 32 + 32
    expected = {
        "prefill": 2 * layer(prompt, 32),
        "decode": 16 * (2 * layer(rows, slots) + rows * vocabulary),
        # Judging reads 42 and 52 tokens, in buckets of 48 and 64.
        "score": layer(48, 48 + 64) + keys_and_values(48)
        + 2 * layer(rows * 64, 48 + 64) + rows * vocabulary,
    }  # fmt: skip
    for name, pairs in expected.items():
        assert steps[name]["flops"] == pytest.approx(2 * pairs, rel=0.02), name
    assert steps["update"]["num_collectives"]["all-reduce"] > 0
    with pytest.raises(SystemExit, match="1"):
        run_command([*plan, "--steps=update", "--rows=4096", "--completion-length=4096"])
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("jaxgap: update does not fit: it needs")
