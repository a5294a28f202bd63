"""The programs can be compiled from shapes that are exactly those of sampling."""

import jax
import numpy as np

from jaxgap.sampling import engine, pad_left, prefix_cache, sample
from jaxgap.sampling.shapes import DecodeShapes


def _forms(tree):
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)


def test_shapes_are_those_of_sampling(tiny_model, tiny_params, monkeypatch):
    seen = {}

    def watch(module, name):
        program = getattr(module, name)

        def call(*arguments, **options):
            seen.setdefault(name, _forms(arguments[1:]))  # before any rows have ended
            return program(*arguments, **options)

        call.lower = program.lower
        monkeypatch.setattr(module, name, call)

    watch(prefix_cache, "prefill")
    watch(engine, "decode")
    prompts = pad_left([[1] * 14, [2] * 14], 14, tiny_model.tokenizer.pad_id)
    drawn = sample(
        tiny_model, tiny_params, prompts, jax.random.key(0), num_candidates=3, max_new_tokens=9
    )
    assert np.isfinite(drawn.logprobs).all()
    shapes = DecodeShapes(2, 3, prompt_length=14, completion_length=9)
    assert seen["prefill"] == _forms(shapes.prefill_arguments(tiny_model))
    num_stops = len(tiny_model.tokenizer.stop_ids)
    assert seen["decode"] == _forms(shapes.decode_arguments(tiny_model, num_stops))
