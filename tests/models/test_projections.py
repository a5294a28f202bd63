"""The table of projections agrees with the parameters of a decoder."""

import dataclasses

import pytest

from jaxgap.models.decoder import abstract_decoder
from jaxgap.models.projections import ATTENTION, FEED_FORWARD, projection_shape


@pytest.mark.parametrize("qkv_bias", [False, True])
def test_every_matrix_of_a_layer_is_a_projection_of_these_sizes(tiny_model, qkv_bias):
    config = dataclasses.replace(tiny_model.config, qkv_bias=qkv_bias)
    block = abstract_decoder(config).blocks[0]
    for part, names in ((block.attention, ATTENTION), (block.feed_forward, FEED_FORWARD)):
        for name in names:
            layer, shape = getattr(part, name), projection_shape(config, name)
            assert layer.kernel.shape == (shape.in_size, shape.out_size)
            assert (layer.bias is not None) == shape.use_bias
            assert shape.use_bias == (qkv_bias and name in ("query", "key", "value"))


def test_widths_follow_from_heads_and_layers(tiny_model):
    config = tiny_model.config
    hidden, wide = config.hidden_size, config.intermediate_size
    heads, kv_heads = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
    sizes = [projection_shape(config, name)[:2] for name in (*ATTENTION, *FEED_FORWARD)]
    attention = [(hidden, heads), (hidden, kv_heads), (hidden, kv_heads), (heads, hidden)]
    assert sizes == [*attention, (hidden, wide), (hidden, wide), (wide, hidden)]
