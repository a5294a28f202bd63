"""The layout of a decoder's parameters in weight files: names, fused tensors, and orientation.

All file formats store matrices as (outputs, inputs), where the decoder has (inputs, outputs), and
some families fuse projections that read the same input. A :class:`Naming` is the table of one file
format; together with a configuration it determines the list of required tensors before any of them
is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Sharding

from jaxgap.models.config import DecoderConfig
from jaxgap.models.model_files import ModelFileError
from jaxgap.models.params import Params
from jaxgap.models.projections import projection_shape


@dataclasses.dataclass(frozen=True)
class Naming:
    """The tensor names of one file format.

    **Fields:**

    - `embedding`, `norm`, `unembedding`: the tensors outside the layers.
    - `layer`: prefix of a layer's tensors, with `{}` for its number.
    - `modules`: names in the file, each with the decoder modules that it fuses, in order.
    """

    embedding: str
    norm: str
    unembedding: str
    layer: str
    modules: tuple[tuple[str, tuple[str, ...]], ...]


class Part(NamedTuple):
    """A parameter's share of a stored tensor.

    **Fields:**

    - `path`: the keys leading to the parameter.
    - `size`: its number of rows in the stored tensor.
    """

    path: tuple[Any, ...]
    size: int


class Stored(NamedTuple):
    """A tensor of a weight file.

    **Fields:**

    - `name`: in the file.
    - `shape`: in the file; matrices are (outputs, inputs).
    - `parts`: the parameters it contains, concatenated along the first axis.
    - `transposed`: whether the parameter is the transpose of the stored tensor.
    """

    name: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    transposed: bool


def stored_tensors(config: DecoderConfig, naming: Naming) -> Iterator[Stored]:
    """Every tensor in the weight files of this decoder."""
    vocab, hidden = config.vocab_size, config.hidden_size
    yield _whole(naming.embedding, (vocab, hidden), ("embedding", "embedding"))
    for layer in range(config.num_layers):
        prefix = naming.layer.format(layer)
        for name, modules in naming.modules:
            yield from _layer_tensors(config, layer, prefix + name, modules)
    yield _whole(naming.norm, (hidden,), ("norm", "scale"))
    if not config.tie_embeddings:
        path = ("unembedding", "kernel")
        yield Stored(naming.unembedding, (vocab, hidden), (Part(path, vocab),), transposed=True)


def _whole(name: str, shape: tuple[int, ...], path: tuple[Any, ...]) -> Stored:
    return Stored(name, shape, (Part(path, shape[0]),), transposed=False)


def _layer_tensors(
    config: DecoderConfig, layer: int, name: str, modules: tuple[str, ...]
) -> Iterator[Stored]:
    paths = [("blocks", layer, *module.split(".")) for module in modules]
    last = paths[0][-1]
    if last in ("query_norm", "key_norm"):
        if config.qk_norm:
            yield _whole(name + ".weight", (config.head_dim,), (*paths[0], "scale"))
        return
    if last.endswith("norm"):
        yield _whole(name + ".weight", (config.hidden_size,), (*paths[0], "scale"))
        return
    shapes = [projection_shape(config, path[-1]) for path in paths]
    outputs, inputs = sum(shape.out_size for shape in shapes), shapes[0].in_size
    kernels = tuple(
        Part((*path, "kernel"), shape.out_size) for path, shape in zip(paths, shapes, strict=True)
    )
    yield Stored(name + ".weight", (outputs, inputs), kernels, transposed=True)
    if shapes[0].use_bias:
        biases = tuple(part._replace(path=(*part.path[:-1], "bias")) for part in kernels)
        yield Stored(name + ".bias", (outputs,), biases, transposed=False)


def params_from_tensors(
    tensors: Iterator[Stored],
    read: Callable[[Stored], np.ndarray],
    dtype: Any,
    shardings: Params | None,
    where: Path,
) -> Params:
    """Parameters from stored tensors, one tensor at a time.

    Each process reads only its own devices' part of a sharded tensor.

    **Arguments:**

    - `tensors`: what to read.
    - `read`: returns a tensor's values in its stored shape, possibly memory-mapped; it is called
        once per tensor.
    - `dtype`: the floating type of the parameters.
    - `shardings`: of each parameter, a tree like the parameters; None for the default device.
    - `where`: the file or folder, for messages.

    **Raises:** `ModelFileError` if a number is NaN or infinite, or too large for the type.
    """
    params: Params = {}
    for stored in tensors:
        whole, start = read(stored), 0
        for path, size in stored.parts:
            rows = whole[start : start + size]
            piece = _Pieces(
                f"{where}: tensor {stored.name!r}", rows.T if stored.transposed else rows, dtype
            )
            sharding = None if shardings is None else _at(shardings, path)
            _put(params, path, _on_device(piece, sharding))
            start += size
    return params


class _Pieces(NamedTuple):
    """A parameter in a file, whose slices are read on demand."""

    name: str
    stored: np.ndarray
    dtype: Any

    def __call__(self, index: Any = ()) -> np.ndarray:
        stored = self.stored[index]
        with np.errstate(over="ignore"):  # reported below
            values = np.ascontiguousarray(stored.astype(self.dtype))
        if not np.isfinite(values).all():
            raise ModelFileError(f"{self.name} {self._problem(stored)}")
        return values

    def _problem(self, stored: np.ndarray) -> str:
        if not np.isfinite(stored).all():
            return "has a NaN or infinity"
        name, largest = jnp.dtype(self.dtype).name, float(jnp.finfo(self.dtype).max)
        return f"has a number beyond {name}'s largest, {largest:g}; load it in float32 or bfloat16"


def stored_tensor(stored: Stored, params: Params) -> np.ndarray:
    """A stored tensor from the parameters, in their floating type."""
    rows = [np.asarray(_at(params, part.path)) for part in stored.parts]
    rows = [part.T if stored.transposed else part for part in rows]
    return np.ascontiguousarray(rows[0] if len(rows) == 1 else np.concatenate(rows))


def _at(tree: Params, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _on_device(pieces: _Pieces, sharding: Sharding | None) -> jax.Array:
    if sharding is None:
        return jax.device_put(pieces(), may_alias=True)
    return jax.make_array_from_callback(pieces.stored.shape, sharding, pieces)


def _put(tree: Params, path: tuple[Any, ...], value: jax.Array) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def parameter_dtype(params: Params) -> Any:
    """The floating type of all parameters.

    **Raises:** `ValueError` if there are several.
    """
    dtypes = {jnp.dtype(leaf.dtype).name for leaf in jax.tree.leaves(params)}
    if len(dtypes) != 1:
        raise ValueError(f"params must have one floating type, got {sorted(dtypes)}")
    return jnp.dtype(dtypes.pop())
