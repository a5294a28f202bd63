"""What is planned for sampling is what a run then does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel
from jaxgap.planning.compiled import StepCosts
from jaxgap.planning.costs import Costs
from jaxgap.planning.steps import Steps
from jaxgap.planning.workload import Workload
from jaxgap.sampling import TokenBatch, sample
from jaxgap.sampling.buckets import bucket
from jaxgap.sampling.decode import decode
from jaxgap.sampling.prefix import prefill
from jaxgap.sharding import MeshShape, make_mesh

TOKENIZER = CharTokenizer("0123456789+=")
CONFIG = DecoderConfig(
    vocab_size=TOKENIZER.vocab_size,
    hidden_size=16,
    intermediate_size=16,
    num_layers=1,
    num_heads=1,
    num_kv_heads=1,
    head_dim=16,
)


def steps_on(shape):
    """Steps on a mesh of which every device is this one: nothing runs on it."""
    return Steps(CONFIG, make_mesh(shape, jax.devices()[:1] * shape.num_devices))


def sizes_of_a_run(monkeypatch, workload, num_prompts):
    """The prompts of each read of a run, and its groups and rows."""
    reads, decoded = [], set()

    def read(model, params, tokens):
        reads.append(len(tokens.tokens))
        return prefill(model, params, tokens)

    def draw(model, params, prefixes, ring, rows, *others, **options):
        decoded.add((len(prefixes.valid), len(rows.tokens)))
        return decode(model, params, prefixes, ring, rows, *others, **options)

    draw.lower = decode.lower
    monkeypatch.setattr("jaxgap.sampling.prefix_cache.prefill", read)
    monkeypatch.setattr("jaxgap.sampling.engine.decode", draw)
    model = LanguageModel(CONFIG, TOKENIZER)
    tokens = np.random.default_rng(0).integers(2, 12, (num_prompts, workload.prompt_length))
    sample(
        model,
        model.init(jax.random.key(0)),
        TokenBatch(jnp.asarray(tokens, jnp.int32), jnp.ones(tokens.shape, bool)),
        jax.random.key(1),
        num_candidates=workload.num_candidates,
        max_new_tokens=workload.completion_length,
        stop_ids=(),
        rows_at_once=workload.prompts_per_call * workload.num_candidates,
    )
    return reads, decoded


@pytest.mark.parametrize("prompt_length", [40, 97, 300, 700])
def test_prompts_are_read_and_decoded_as_planned(monkeypatch, prompt_length):
    workload = Workload(prompt_length, 8, prompts_per_call=4, num_candidates=2)
    steps = steps_on(MeshShape())
    num_rows, num_reads = steps.reads(workload)
    shapes = steps.decode_shapes(workload)
    # All rows end at once, so that every call reads the prompts of all groups.
    reads, decoded = sizes_of_a_run(monkeypatch, workload, num_prompts=12)
    assert reads == 3 * num_reads * [num_rows]
    assert (shapes.num_groups, shapes.num_groups * shapes.group_size) in decoded


@pytest.mark.parametrize("shape", [MeshShape(fsdp=16), MeshShape(data=3, fsdp=2, tensor=2)])
@pytest.mark.parametrize("prompt_length", [200, 512])
def test_groups_are_filled_up_to_what_the_mesh_cuts(shape, prompt_length):
    workload = Workload(prompt_length, prompts_per_call=48, num_candidates=8)
    shapes = steps_on(shape).decode_shapes(workload)
    assert shapes.num_groups % shape.num_row_shards == 0
    spare = shapes.num_groups * shapes.group_size - 48 * 8
    assert -shapes.group_size < spare < shape.num_row_shards * shapes.group_size


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (MeshShape(), (2, 8)),
        (MeshShape(fsdp=4), (8, 2)),
        (MeshShape(data=2, fsdp=4, tensor=2), (16, 1)),
        (MeshShape(fsdp=16), (16, 1)),
    ],
)
def test_a_device_reads_no_more_than_its_tokens_at_a_time(shape, expected):
    assert steps_on(shape).reads(Workload(512, prompts_per_call=16)) == expected


@pytest.mark.parametrize("shape", [MeshShape(), MeshShape(fsdp=4), MeshShape(data=3, fsdp=2)])
def test_a_device_reads_at_most_1024_tokens_padding_included(shape):
    for prompt_length in range(8, 1000, 8):
        num_rows, num_reads = steps_on(shape).reads(Workload(prompt_length, prompts_per_call=96))
        slots = bucket(prompt_length)
        assert num_rows * slots <= 1024 * shape.num_row_shards
        assert num_rows * num_reads >= 96


def test_of_a_full_read_no_row_is_a_copy():
    for prompt_length in (12, 96, 192, 384):
        num_rows, num_reads = steps_on(MeshShape()).reads(
            Workload(prompt_length, prompts_per_call=128)
        )
        assert num_rows * num_reads == 128


@pytest.mark.parametrize("precision", [None, "highest"])
def test_products_are_planned_in_the_precision_that_is_set(monkeypatch, precision):
    traced = []
    monkeypatch.setattr(
        "jaxgap.planning.steps.compile_step", lambda step, *_: traced.append(str(step.jaxpr))
    )
    with jax.default_matmul_precision(precision):
        steps_on(MeshShape()).decode(Workload(32, 32, prompts_per_call=4, dtype="float32"))
    assert ("Precision.HIGHEST" in traced[0]) == (precision == "highest")


def test_a_step_repeated_does_as_much_more_in_the_same_memory():
    costs = Costs(2.0, 3.0)
    costs.num_collectives["all-gather"] = 5
    costs.collective_bytes["all-gather"] = 7
    twice = StepCosts(100, 10, costs).repeated(2)
    assert (twice.memory_bytes, twice.held_bytes) == (100, 10)
    assert (twice.costs.flops, twice.costs.hbm_bytes) == (4.0, 6.0)
    assert twice.costs.num_collectives == {"all-gather": 10}
    assert twice.costs.collective_bytes == {"all-gather": 14}
    refused = StepCosts(100, 10, None)
    assert refused.repeated(2) == refused


def test_vocabularies_may_be_larger_than_unicode(monkeypatch):
    traced = []

    def compile_nothing(program, held_bytes, max_trip_counts):
        traced.append(program)
        return StepCosts(held_bytes, held_bytes, None)

    monkeypatch.setattr("jaxgap.planning.steps.compile_step", compile_nothing)
    config = dataclasses.replace(CONFIG, vocab_size=1_200_000)
    steps = Steps(config, make_mesh(MeshShape(), jax.devices()[:1]))
    steps.decode(Workload(8, 8, prompts_per_call=1, num_candidates=1))
    steps.update(Workload(8, 8, prompts_per_call=1, num_candidates=1, rows=1))
    assert len(traced) == 2
