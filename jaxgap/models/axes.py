"""The logical axes of every parameter, from which all sharding follows.

A name says what an axis is, not where it is placed: :mod:`jaxgap.sharding.axis_rules` maps names to
mesh axes, such as `embed` to `fsdp`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, SingleDeviceSharding
from jax.tree_util import DictKey as _DictKey

from jaxgap.models.config import DecoderConfig
from jaxgap.models.decoder import abstract_decoder
from jaxgap.models.params import Params
from jaxgap.sharding import named_sharding, shards_to_devices

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
    """The axes of each parameter: a tree like `params` with a tuple of names at each leaf.

    **Arguments:**

    - `params`: parameters, adapters, or their shapes; or a tree of such trees and scalars, like the
        optimiser's state.

    >>> logical_axes({"blocks": {0: {"attention": {"query": {"kernel": None}}}}})
    {'blocks': {0: {'attention': {'query': {'kernel': ('embed', 'heads')}}}}}
    """
    return jax.tree.map_with_path(
        lambda path, _: _axes([str(key.key) for key in path if isinstance(key, _DictKey)]),
        params,
        is_leaf=lambda x: x is None,
    )


def parameter_shardings(mesh: Mesh, config: DecoderConfig, params: Params) -> Any:
    """The sharding of each parameter, adapter or moment on a mesh: a tree like `params`.

    **Arguments:**

    - `mesh`: with the axes of :data:`jaxgap.sharding.MESH_AXES`.
    - `config`: the decoder's shape.
    - `params`: as in :func:`logical_axes`; leaves need only a `shape`.
    """
    return jax.tree.map(
        lambda leaf, axes: named_sharding(mesh, axes, leaf.shape, config.num_kv_heads),
        params,
        logical_axes(params),
    )


def parameters_on_mesh(config: DecoderConfig, params: Params) -> Params:
    """The same parameters, adapters or moments, sharded over the current mesh, if any."""
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return params
    shardings = parameter_shardings(mesh, config, params)
    if jax.process_count() == 1:
        return jax.device_put(params, shardings)
    # Of an array that each process has, `device_put` would compare all copies, exchanging them.
    return jax.tree.map(
        lambda array, sharding: (
            shards_to_devices(np.asarray(array), sharding)
            if array.is_fully_addressable
            else jax.device_put(array, sharding)
        ),
        params,
        shardings,
    )


def shapes_on_mesh(config: DecoderConfig, shapes: Any) -> Any:
    """Shapes of such a tree with shardings: on the current mesh, or else on the first device."""
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        first = SingleDeviceSharding(jax.devices()[0])
        shardings = jax.tree.map(lambda leaf: first, shapes)
    else:
        shardings = parameter_shardings(mesh, config, shapes)
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes,
        shardings,
    )


def decoder_shardings(config: DecoderConfig) -> Any:
    """The sharding of each of a decoder's parameters on the current mesh; None without one."""
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        return None
    shapes = nnx.to_pure_dict(nnx.state(abstract_decoder(config), nnx.Param))
    return parameter_shardings(mesh, config, shapes)


def _axes(path: list[str]) -> Axes:
    if not path:
        return ()
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
