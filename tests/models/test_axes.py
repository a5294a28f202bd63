"""Every parameter has as many named axes as dimensions, and shards along them."""

import dataclasses

import jax
import pytest

from jaxgap.models import LoraConfig
from jaxgap.models.axes import logical_axes

NAMES = {"vocab", "embed", "heads", "kv_heads", "mlp", "head_dim", "rank"}


@pytest.mark.parametrize("family", ["llama2", "phi4_mini", "qwen25", "qwen3"])
def test_every_parameter_has_its_axes(family, load_tiny):
    model = dataclasses.replace(load_tiny(family)[0], lora=LoraConfig.uniform(2, alpha=2.0))
    shapes = model.shapes()
    sizes = {}

    def check(leaf, axes):
        assert len(axes) == len(leaf.shape)
        for axis, size in zip(axes, leaf.shape, strict=True):
            assert sizes.setdefault(axis, size) == size

    jax.tree.map(check, shapes, logical_axes(shapes), is_leaf=lambda x: hasattr(x, "shape"))
    config = model.config
    assert set(sizes) <= NAMES
    assert sizes["heads"] == config.num_heads * config.head_dim
    assert sizes["kv_heads"] == config.num_kv_heads * config.head_dim
