"""Eight simulated devices sample what one does, each with its part of the work and memory."""

import json
import math
import os

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["small", "SmolLM2"])
def runs(request, run_script):
    """What the script says of each mesh, by its shape."""
    if request.param == "small":
        said = run_script("sampling_on_devices.py")
    elif path := os.environ.get("JAXGAP_SMOLLM2"):
        said = run_script("sampling_on_devices.py", path)
    else:
        pytest.skip("JAXGAP_SMOLLM2 names no SmolLM2-135M-Instruct.Q4_1.gguf")
    return {tuple(row["shape"]): row for row in map(json.loads, said.splitlines())}


@pytest.fixture
def all_axes_cut(runs):
    """Whether tensor cuts attention, too: SmolLM2 has three groups of heads, too few to cut."""
    return runs[1, 1, 1]["programs"]["decode"]["flops"] < 1e9


@pytest.fixture
def on_meshes(runs):
    return [row for shape, row in runs.items() if math.prod(shape) > 1]


def test_completions_have_the_log_probabilities_of_one_device(on_meshes):
    assert len(on_meshes) == 3
    for run in on_meshes:
        assert run["largest_logprob_error"] < 5e-4
        assert run["mean_logprob_error"] < 2e-5


def test_the_same_logits_and_uniforms_give_the_same_tokens(on_meshes):
    assert [run["num_draws_apart"] for run in on_meshes] == [0, 0, 0]


def test_completions_part_only_where_a_uniform_lies_at_a_boundary(on_meshes):
    for run in on_meshes:
        assert all(distance < 1e-4 for distance in run["distances"])
        # Of both ways to sample; most must be the same, or the distances would say little.
        assert len(run["distances"]) < 0.2 * 2 * run["num_completions"]


def test_products_are_shared_by_all_devices(runs, all_axes_cut):
    for shape, run in runs.items():
        for name, program in run["programs"].items():
            alone = runs[1, 1, 1]["programs"][name]["flops"]
            part = program["flops"] * math.prod(shape) / alone
            if all_axes_cut or shape[2] == 1:
                assert part == pytest.approx(1, rel=1e-6), name
            else:
                # Attention is computed on every device of a row of tensor.
                assert 1 < part < 2, name


def test_memory_falls_as_the_axes_say(runs, all_axes_cut):
    alone = runs[1, 1, 1]["programs"]
    for (data, fsdp, tensor), run in runs.items():
        part = 1 / (fsdp * tensor) if all_axes_cut or tensor == 1 else 0.55
        for name, program in run["programs"].items():
            # Parameters lie in parts along fsdp and tensor; the cache by rows, and by heads.
            assert program["argument_bytes"] < 1.05 * part * alone[name]["argument_bytes"], name
            # Gathered weights are temporary: what is saved is less, but is saved.
            if data * fsdp * tensor > 1:
                both = ("argument_bytes", "temporary_bytes")
                assert sum(program[of] for of in both) < sum(alone[name][of] for of in both), name


def test_the_first_draw_exchanges_nothing(on_meshes):
    for run in on_meshes:
        assert run["first_draw"]["collectives"] == {}


def test_the_exchanges_are_those_that_the_axes_are_for(runs):
    for (data, fsdp, tensor), run in runs.items():
        kinds = {name: set(p["collectives"]) for name, p in run["programs"].items()}
        if data * fsdp * tensor == 1:
            assert not any(kinds.values())
        elif data == 8:
            # Rows alone: what was drawn, and in judging the prefixes that rows share.
            assert kinds == {"prefill": set(), "decode": {"all-gather"}, "judge": {"all-gather"}}
        else:
            assert all("all-reduce" in each for each in kinds.values())
