"""A module that PEFT adapts, and the decoder projections that it represents."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgap.models.config import DecoderConfig
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.lora import LoraConfig
from jaxgap.models.params import Params
from jaxgap.models.projections import projection_shape


class AdapterModule(NamedTuple):
    """A module of the file, and the projections it fuses, in order.

    **Fields:**

    - `name`: such as `self_attn.qkv_proj`.
    - `members`: part and name of each projection, such as `("attention", "query")`.
    - `sizes`: number of outputs of each projection.
    - `inputs`: number of inputs, common to all.
    """

    name: str
    members: tuple[tuple[str, str], ...]
    sizes: tuple[int, ...]
    inputs: int

    @property
    def short_name(self) -> str:
        """The name in `target_modules`."""
        return self.name.rpartition(".")[2]

    def tensor(self, layer: int, matrix: str) -> str:
        """The name of `A` or `B` in the file."""
        return f"base_model.model.model.layers.{layer}.{self.name}.lora_{matrix}.weight"


def adapter_modules(config: DecoderConfig) -> list[AdapterModule]:
    """Every module of a decoder that can have adapters, by the names of its family."""
    modules = []
    for name, paths in naming_of(config).modules:
        if "norm" in name:
            continue
        members = tuple((part, member) for part, member in (path.split(".") for path in paths))
        shapes = [projection_shape(config, member) for _, member in members]
        outputs = tuple(shape.out_size for shape in shapes)
        modules.append(AdapterModule(name, members, outputs, shapes[0].in_size))
    return modules


def split(block: Params, module: AdapterModule, a: np.ndarray, b: np.ndarray) -> None:
    """Put a module's adapter into a block: each projection gets all of `A` and its rows of `B`.

    **Arguments:**

    - `block`: adapters of one layer, changed in place.
    - `module`: the module that the adapter belongs to.
    - `a`, `b`: of shapes (rank, inputs) and (outputs, rank).
    """
    start = 0
    for (part, member), size in zip(module.members, module.sizes, strict=True):
        block.setdefault(part, {})[member] = {
            "lora_a": jnp.asarray(np.ascontiguousarray(a.T), jnp.float32),
            "lora_b": jnp.asarray(np.ascontiguousarray(b[start : start + size].T), jnp.float32),
        }
        start += size


def fuse(
    block: Params, module: AdapterModule, lora: LoraConfig, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """One adapter for the projections of a module, exact up to rounding if scales differ.

    A common `A` is kept; otherwise the rank is the sum of the projections' ranks.

    **Arguments:**

    - `block`: adapters of one layer.
    - `module`: at least one of its projections has adapters.
    - `lora`: their scales.
    - `scale`: of the result; differences from it are absorbed into `B`.

    **Returns:** `A` and `B`, of shapes (rank, inputs) and (outputs, rank).
    """
    members = _members(block, module, lora, scale)
    first = members[0][0]
    if all(np.array_equal(a, first) for a, _ in members):
        return first, np.concatenate([b for _, b in members])
    return _stack(members)


def pad(a: np.ndarray, b: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The same adapter padded with zeros to a rank."""
    extra = rank - a.shape[0]
    return np.pad(a, ((0, extra), (0, 0))), np.pad(b, ((0, 0), (0, extra)))


def _members(
    block: Params, module: AdapterModule, lora: LoraConfig, scale: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """`A` and `B` of each projection in PEFT's layout; of rank 0 if there is no adapter."""
    members = []
    for (part, member), size in zip(module.members, module.sizes, strict=True):
        target = lora.target(member)
        if target is None:
            nothing = np.zeros((0, module.inputs), np.float32), np.zeros((size, 0), np.float32)
            members.append(nothing)
            continue
        adapter = jax.device_get(block[part][member])
        ratio = np.float32(target.scale / scale)
        members.append((adapter["lora_a"].T, adapter["lora_b"].T * ratio))
    return members


def _stack(members: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The `A` stacked vertically, the `B` block-diagonally."""
    a = np.concatenate([a for a, _ in members])
    b = np.zeros((sum(part.shape[0] for _, part in members), a.shape[0]), a.dtype)
    row = column = 0
    for _, part in members:
        b[row : row + part.shape[0], column : column + part.shape[1]] = part
        row, column = row + part.shape[0], column + part.shape[1]
    return a, b
