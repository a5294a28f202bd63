"""Low-rank adapters (LoRA; Hu et al., arXiv:2106.09685) as a separate small tree of parameters.

A projection `x W` becomes `x W + scale (x A) B`, with `A` of shape (in, rank) and `B` (rank, out).
The adapters are joined to the base parameters by reference when a model is applied, so the base is
never copied; :func:`merge_adapters` adds them permanently.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

from jaxgap.models.config import DecoderConfig

Params: TypeAlias = dict[Any, Any]
"""A nested dict of arrays, as returned by `nnx.to_pure_dict`."""

ATTENTION = ("query", "key", "value", "output")
FEED_FORWARD = ("gate", "up", "down")


@dataclasses.dataclass(frozen=True)
class LoraTarget:
    """The adapters of one projection, the same in every layer.

    **Fields:**

    - `name`: `query`, `key`, `value`, `output`, `gate`, `up` or `down`.
    - `rank`: width of the adapter, >= 1.
    - `scale`: factor of its product, > 0 (`alpha / rank` in the paper).

    **Raises:** `ValueError` for an unknown name or a value outside its range.
    """

    name: str
    rank: int
    scale: float

    def __post_init__(self):
        if self.name not in ATTENTION + FEED_FORWARD:
            raise ValueError(
                f"name must be one of {', '.join(ATTENTION + FEED_FORWARD)}, got {self.name!r}"
            )
        if self.rank < 1 or not 0 < self.scale < float("inf"):
            raise ValueError(
                f"rank and scale must be positive, got {self.rank!r} and {self.scale!r}"
            )


@dataclasses.dataclass(frozen=True)
class LoraConfig:
    """Which projections have adapters.

    **Fields:**

    - `targets`: one record per projection, each projection at most once.

    **Raises:** `ValueError` if there is none, or one is named twice.

    >>> lora = LoraConfig.uniform(8, alpha=16.0, names=("query", "value"))
    >>> lora.targets[1]
    LoraTarget(name='value', rank=8, scale=2.0)
    """

    targets: tuple[LoraTarget, ...]

    def __post_init__(self):
        names = [target.name for target in self.targets]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"targets must name each projection once, got {names}")

    @classmethod
    def uniform(
        cls, rank: int, *, alpha: float, names: tuple[str, ...] = ATTENTION + FEED_FORWARD
    ) -> LoraConfig:
        """The same rank and `scale = alpha / rank` in each of the named projections."""
        return cls(tuple(LoraTarget(name, rank, alpha / rank) for name in names))

    def target(self, name: str) -> LoraTarget | None:
        """The record of a projection, if it has one."""
        return next((target for target in self.targets if target.name == name), None)


class Linear(nnx.Linear):
    """A linear layer whose bias is added in float32, as wide as its gradient must be summed.

    The gradient is a sum over all tokens: of equal terms in bfloat16 it stops growing at 256.
    """

    def __call__(self, x):
        y = self._product(x, self.kernel[...])
        if self.bias is None:
            return y
        return (_at_least_float32(y) + _at_least_float32(self.bias[...])).astype(y.dtype)

    def _product(self, x, kernel):
        # Training replaces `dot_general`. Adapters may have a wider type than the layer;
        # activations keep the layer's.
        kernel = kernel.astype(x.dtype)
        return self.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))


class LoraLinear(Linear):
    """A linear layer and its adapter."""

    def __init__(self, in_size: int, out_size: int, target: LoraTarget, *, use_bias, rngs):
        super().__init__(in_size, out_size, use_bias=use_bias, rngs=rngs)
        self.scale = target.scale
        self.lora_a = nnx.Param(_initial_a(rngs.params(), in_size, target.rank))
        self.lora_b = nnx.Param(jnp.zeros((target.rank, out_size)))

    def __call__(self, x):
        low = self._product(x, self.lora_a[...])
        return super().__call__(x) + self._product(self.scale * low, self.lora_b[...])


def projection(
    name: str,
    in_size: int,
    out_size: int,
    *,
    lora: LoraConfig | None,
    rngs: nnx.Rngs,
    use_bias: bool = False,
) -> Linear:
    """A linear layer, with an adapter if `lora` has one for this name."""
    target = lora and lora.target(name)
    if target:
        return LoraLinear(in_size, out_size, target, use_bias=use_bias, rngs=rngs)
    return Linear(in_size, out_size, use_bias=use_bias, rngs=rngs)


def init_adapters(config: DecoderConfig, lora: LoraConfig, key: jax.Array) -> Params:
    """Draw adapters that change nothing initially: `A` random, `B` zero.

    **Arguments:**

    - `config`: the shape of the decoder.
    - `lora`: which projections have adapters.
    - `key`: of the draw.

    **Returns:** a tree like the decoder's parameters with only `lora_a` and `lora_b`.
    """
    blocks: Params = {}
    for layer in range(config.num_layers):
        for index, target in enumerate(lora.targets):
            part = "attention" if target.name in ATTENTION else "feed_forward"
            in_size, out_size = projection_size(config, target.name)
            draw = jax.random.fold_in(key, layer * len(lora.targets) + index)
            blocks.setdefault(layer, {}).setdefault(part, {})[target.name] = {
                "lora_a": _initial_a(draw, in_size, target.rank),
                "lora_b": jnp.zeros((target.rank, out_size)),
            }
    return {"blocks": blocks}


def projection_size(config: DecoderConfig, name: str) -> tuple[int, int]:
    """Input and output sizes of a projection."""
    hidden, heads = config.hidden_size, config.num_heads * config.head_dim
    kv_heads = config.num_kv_heads * config.head_dim
    return {
        "query": (hidden, heads),
        "key": (hidden, kv_heads),
        "value": (hidden, kv_heads),
        "output": (heads, hidden),
        "gate": (hidden, config.intermediate_size),
        "up": (hidden, config.intermediate_size),
        "down": (config.intermediate_size, hidden),
    }[name]


def join_adapters(params: Params, adapters: Params) -> Params:
    """Both in one tree that shares their arrays: the parameters of a model with LoRA.

    **Arguments:**

    - `params`: of the model without adapters.
    - `adapters`: as returned by :func:`init_adapters`; they take precedence where both have an
        array.

    **Returns:** a new nested dict; neither argument changes.
    """
    joined = dict(params)
    for name, entry in adapters.items():
        joined[name] = (
            join_adapters(params.get(name, {}), entry) if isinstance(entry, dict) else entry
        )
    return joined


def require_adapters(params: Params, lora: LoraConfig | None) -> None:
    """Reject parameters whose adapters are missing, superfluous or of another rank.

    A scale is no part of the arrays, so it cannot be compared.

    **Arguments:**

    - `params`: the parameters of a model, or its adapters alone.
    - `lora`: which projections have adapters, if any.

    **Raises:** `ValueError`.
    """
    for block in params["blocks"].values():
        for part, modules in block.items():
            if part in ("attention", "feed_forward"):
                for name, module in modules.items():
                    _require_rank(name, module, lora and lora.target(name))


def _require_rank(name: str, module: Params, target: LoraTarget | None) -> None:
    found = module["lora_a"].shape[-1] if "lora_a" in module else None
    if found != (target.rank if target else None):
        raise ValueError(
            f"lora must be that of the adapters: it has {_words(target and target.rank)} for "
            f"{name!r}, and params have {_words(found)}"
        )


def _words(rank: int | None) -> str:
    return "none" if rank is None else f"rank {rank}"


def merge_adapters(params: Params, adapters: Params, lora: LoraConfig) -> Params:
    """The parameters with `scale A B` added to each kernel: a model without adapters.

    **Arguments:**

    - `params`: of the model without adapters; arrays that neither adapters nor the type change are
        shared with the result.
    - `adapters`: as returned by :func:`init_adapters`.
    - `lora`: their ranks and scales.

    **Returns:** a tree like `params`, in float32 where they are narrower: most of what adapters
    learn is less than half of the distance from a bfloat16 to the next, and would be rounded away.

    **Raises:** `ValueError` if the adapters are not those of `lora`.
    """
    require_adapters(adapters, lora)
    merged = jax.tree.map(_at_least_float32, params)
    for layer, block in adapters["blocks"].items():
        for part, modules in block.items():
            for name, adapter in modules.items():
                target = lora.target(name)
                assert target is not None
                kernel = merged["blocks"][layer][part][name]["kernel"]
                low, high = (_at_least_float32(adapter[each]) for each in ("lora_a", "lora_b"))
                changed = kernel + target.scale * jnp.dot(low, high)
                patch = {"blocks": {layer: {part: {name: {"kernel": changed}}}}}
                merged = join_adapters(merged, patch)
    return merged


def _at_least_float32(array: jax.Array) -> jax.Array:
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def _initial_a(key: jax.Array, in_size: int, rank: int) -> jax.Array:
    """Uniform in +-1 / sqrt(in_size), as in PEFT."""
    bound = in_size**-0.5
    return jax.random.uniform(key, (in_size, rank), minval=-bound, maxval=bound)
