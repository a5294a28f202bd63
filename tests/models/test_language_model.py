"""A model knows its definition and its shapes without drawing a parameter, at a cost per layer."""

import dataclasses
import sys

import jax
import pytest
from flax import nnx

from jaxgap.models import LanguageModel, LoraConfig
from jaxgap.models.decoder import Decoder

LORA = LoraConfig.uniform(2, alpha=2.0)


@pytest.mark.parametrize("lora", [None, LORA])
@pytest.mark.parametrize("family", ["llama2", "phi4_mini", "qwen25", "qwen3"])
def test_definition_and_shapes_are_those_of_a_model_that_is_drawn(family, lora, load_tiny):
    model = dataclasses.replace(load_tiny(family)[0], lora=lora)
    drawn = Decoder(model.config, lora, rngs=nnx.Rngs(3))
    assert model.graphdef == nnx.split(drawn, nnx.Param, graph=True)[0]
    params = model.init(jax.random.key(3))
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    assert model.shapes() == shapes


def _calls(run):
    """How many functions are called: a measure of work that no load of the machine changes."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("ask", [lambda model: model, LanguageModel.shapes])
def test_each_layer_costs_the_same(tiny_model, ask):
    def calls(num_layers):
        config = dataclasses.replace(tiny_model.config, num_layers=num_layers)
        return _calls(lambda: ask(LanguageModel(config, tiny_model.tokenizer, LORA)))

    calls(1)
    few, more, most = (calls(num_layers) for num_layers in (4, 8, 16))
    assert most - more == pytest.approx(2 * (more - few), rel=0.1)
