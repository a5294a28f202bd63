"""Every parameter has as many named axes as dimensions, and shards along them."""

import dataclasses

import jax
import pytest

from jaxgap.models import LoraConfig, init_cache
from jaxgap.models.axes import cache_axes, logical_axes

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


def test_the_cache_has_its_axes(tiny_model):
    cache = init_cache(tiny_model.config, 2, 3)
    axes = jax.tree.leaves(
        cache_axes(cache),
        is_leaf=lambda x: (
            isinstance(x, tuple)
            and not hasattr(x, "_fields")
            and all(isinstance(n, str) for n in x)
        ),
    )
    assert [len(names) for names in axes] == [leaf.ndim for leaf in jax.tree.leaves(cache)]
