"""Sampling on eight simulated devices against one: run by the tests in a process of its own.

Prints as JSON what the tests look at. With the path of a .gguf file it is that model, otherwise a
small one, wide enough for every axis to be cut.
"""

import json
import sys

import numpy as np

SHAPES = ((2, 2, 2), (8, 1, 1), (2, 1, 4))
NUM_CANDIDATES, NUM_STEPS = 4, 24


def main(path: str | None) -> None:
    import jax

    from jaxgap.models.axes import parameters_on_mesh
    from jaxgap.sampling import sample
    from jaxgap.sharding import MeshShape, make_mesh

    model, params, prompts = _model(path)
    key = jax.random.key(1)

    def results(params):
        """All at once, and in turns, which schedules, copies, grows and compacts."""
        drawn = [
            sample(
                model,
                params,
                prompts,
                key,
                num_candidates=NUM_CANDIDATES,
                max_new_tokens=NUM_STEPS,
                stop_ids=(3,),
                rows_at_once=rows,
            )
            for rows in (128, 24)
        ]
        return drawn, _scores(model, params, prompts, drawn[0]), *_programs(model, params)

    alone, scores, programs, _ = results(params)
    print(json.dumps({"shape": (1, 1, 1), "programs": programs}))
    for shape in SHAPES:
        mesh = make_mesh(MeshShape(*shape))
        with jax.set_mesh(mesh):
            placed = parameters_on_mesh(model.config, params)
            # The same completions, so that the scores of both can be compared.
            drawn, _, programs, first_draw = results(placed)
            ours = _scores(model, placed, prompts, alone[0])
        apart = [_apart(model, params, prompts, key, alone[0], each) for each in drawn]
        error = np.abs(ours - scores)
        row = {
            "shape": shape,
            "programs": programs,
            "first_draw": first_draw,
            "largest_logprob_error": float(error.max()),
            "mean_logprob_error": float(error.mean()),
            "num_completions": int(alone[0].finished.size),
            "distances": [each for pair in apart for each in pair],
            "num_draws_apart": _draws_apart(mesh),
        }
        print(json.dumps(row), flush=True)


def _model(path):
    import jax

    from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel, load_model
    from jaxgap.sampling import encode_prompts

    if path is not None:
        model, params = load_model(path)
        texts = [f"Question: what is {i} plus {7 * i}? Answer:" for i in range(11)]
        return model, params, encode_prompts(model.tokenizer, texts, 16)
    config = DecoderConfig(
        vocab_size=600,
        hidden_size=64,
        intermediate_size=128,
        num_layers=2,
        num_heads=8,
        num_kv_heads=4,
        head_dim=16,
    )
    model = LanguageModel(config, CharTokenizer("".join(map(chr, range(0x100, 0x100 + 598)))))
    texts = ["".join(map(chr, range(0x100 + i, 0x104 + 3 * i))) for i in range(11)]
    return model, model.init(jax.random.key(0)), encode_prompts(model.tokenizer, texts, 24)


def _scores(model, params, prompts, drawn):
    """Teacher-forced log-probabilities of the first 8 prompts' completions."""
    import jax
    from teacher_forcing import completion_logprobs

    from jaxgap.sampling import TokenBatch
    from jaxgap.sharding import rows_to_devices, to_host

    batch = TokenBatch(*(np.repeat(part[:8], NUM_CANDIDATES, axis=0) for part in prompts))
    tokens, mask = (
        part[:8].reshape(8 * NUM_CANDIDATES, -1) for part in (drawn.tokens, drawn.completion_mask)
    )
    arguments = rows_to_devices((batch, tokens, mask))
    return to_host(jax.jit(completion_logprobs, static_argnums=0)(model, params, *arguments))


def _apart(model, params, prompts, key, alone, drawn):
    """How far from a boundary of its distribution each uniform was whose draw came out otherwise.

    One number for each row that differs, at the first token that does.
    """
    import jax
    import jax.numpy as jnp

    from jaxgap.sampling import pad_left, row_uniforms

    apply, distances = jax.jit(model.apply), []
    differs = (alone.tokens != drawn.tokens).reshape(-1, alone.tokens.shape[2])
    for row in np.flatnonzero(differs.any(1)).tolist():
        step = int(differs[row].argmax())
        prompt, candidate = divmod(row, NUM_CANDIDATES)
        asked = prompts.tokens[prompt][prompts.mask[prompt]]
        ids = np.concatenate([asked, alone.tokens[prompt, candidate, :step]])
        batch = pad_left([ids], 64, 0)
        logits, _ = apply(params, batch.tokens, batch.mask)
        boundaries = np.cumsum(np.asarray(jax.nn.softmax(logits[0, -1]), np.float64))
        uniform = row_uniforms(key, jnp.array([row]), jnp.array([[step]]))
        distances.append(float(np.abs(boundaries - float(uniform[0, 0])).min()))
    return distances


def _draws_apart(mesh):
    """Tokens that differ when logits are the same, but cut by rows and words."""
    import jax
    from jax.sharding import NamedSharding
    from jax.sharding import PartitionSpec as P

    from jaxgap.sampling import SamplingParams, draw
    from jaxgap.sharding import shard_rows

    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((64, 49152)).astype(np.float32)
    uniforms = rng.random(64).astype(np.float32)
    num_apart = 0
    for sampling_params in (SamplingParams(), SamplingParams(0.7, top_k=50, top_p=0.9, min_p=0.01)):
        expected = np.asarray(jax.jit(draw)(logits, uniforms, sampling_params.traced())[0])
        with jax.set_mesh(mesh):
            cut = jax.device_put(logits, NamedSharding(mesh, P(("data", "fsdp"), "tensor")))
            on_mesh = jax.jit(lambda logits, *rest: draw(shard_rows(logits), *rest))
            num_apart += int(
                (np.asarray(on_mesh(cut, uniforms, sampling_params.traced())[0]) != expected).sum()
            )
    return num_apart


def _programs(model, params):
    """Memory, work and exchanges on one device of the programs that take the time of sampling and
    judging; and of the first draw.
    """
    import jax

    from jaxgap.planning.costs import count_costs
    from jaxgap.planning.hlo import parse_module
    from jaxgap.sampling import TokenBatch, continued_logits
    from jaxgap.sampling.decode import Rows, decode
    from jaxgap.sampling.draw import draw_first
    from jaxgap.sampling.prefix import prefill
    from jaxgap.sampling.ring import init_ring, ring_shapes
    from jaxgap.sampling.sampling_params import SamplingParams
    from jaxgap.sharding import rows_to_devices

    def batch(rows, length):
        return TokenBatch(np.zeros((rows, length), np.int32), np.ones((rows, length), bool))

    questions = rows_to_devices(batch(16, 32))
    numbers = np.zeros(64, np.int32)
    first_rows = rows_to_devices(numbers.reshape(16, 4))
    rows = rows_to_devices(Rows(numbers, numbers, numbers, numbers == 0, numbers))
    ring = init_ring(ring_shapes(model.config, 64, 32, np.float32))
    prefix, logits = prefill(model, params, questions)
    asked = rows_to_devices((batch(16, 32), np.arange(64) // 4, batch(64, 8)))
    limits = (np.zeros(1, np.int32), np.int32(1))
    sampling_params = SamplingParams().traced()
    key = jax.random.key(0)
    lowered = {
        "prefill": prefill.lower(model, params, questions),
        "decode": decode.lower(
            model, params, prefix, ring, rows, key, sampling_params, *limits, max_steps=16
        ),
        "judge": continued_logits.lower(model, params, *asked),
    }
    first_draw = draw_first.lower(logits, key, first_rows, sampling_params)
    programs = {
        name: _costs(program.compile(), count_costs, parse_module)
        for name, program in lowered.items()
    }
    return programs, _costs(first_draw.compile(), count_costs, parse_module)


def _costs(compiled, count_costs, parse_module):
    memory = compiled.memory_analysis()
    costs = count_costs(parse_module(compiled.as_text()), (16,))
    return {
        "argument_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "flops": costs.flops,
        "collectives": dict(costs.num_collectives),
        "collective_bytes": dict(costs.collective_bytes),
    }


if __name__ == "__main__":
    main(*sys.argv[1:2] or [None])
