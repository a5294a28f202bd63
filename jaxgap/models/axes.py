"""The logical axes of every parameter and of the cache: the one place that sharding reads.

A name says what an axis is, not where it lies; a mesh is laid over them by a table from names to
mesh axes, such as `{"embed": "fsdp", "heads": "tensor", "batch": "data"}`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax

from jaxgap.models.cache import KVCache
from jaxgap.models.lora import Params

Axes: TypeAlias = tuple[str | None, ...]

_INPUTS_AND_OUTPUTS: dict[str, tuple[str, str]] = {
    "query": ("embed", "heads"),
    "key": ("embed", "kv_heads"),
    "value": ("embed", "kv_heads"),
    "output": ("heads", "embed"),
    "gate": ("embed", "mlp"),
    "up": ("embed", "mlp"),
    "down": ("mlp", "embed"),
    "unembedding": ("embed", "vocab"),
}


def logical_axes(params: Params) -> Any:
    """The axes of each parameter: a tree like `params` with a tuple of names a leaf.

    **Arguments:**

    - `params`: parameters, adapters, or their shapes.

    >>> logical_axes({"blocks": {0: {"attention": {"query": {"kernel": None}}}}})
    {'blocks': {0: {'attention': {'query': {'kernel': ('embed', 'heads')}}}}}
    """
    return jax.tree.map_with_path(
        lambda path, _: _axes([str(key.key) for key in path]), params, is_leaf=lambda x: x is None
    )


def cache_axes(cache: KVCache) -> KVCache:
    """The axes of a cache, as a cache of tuples of names."""
    buffer = ("batch", "kv_heads", "slots", "head_dim")
    layers = (buffer,) * len(cache.keys)
    return KVCache(keys=layers, values=layers, valid=("batch", "slots"), length=())  # pyright: ignore[reportArgumentType]


def _axes(path: list[str]) -> Axes:
    module, leaf = path[-2:]
    if module == "embedding":
        return ("vocab", "embed")
    if leaf == "scale":
        return ("head_dim",) if module in ("query_norm", "key_norm") else ("embed",)
    inputs, outputs = _INPUTS_AND_OUTPUTS[module]
    return {
        "kernel": (inputs, outputs),
        "bias": (outputs,),
        "lora_a": (inputs, "rank"),
        "lora_b": ("rank", outputs),
    }[leaf]
