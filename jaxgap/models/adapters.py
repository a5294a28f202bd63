"""Adapters as a small tree of parameters, apart from the model's.

They are joined to the base parameters by reference when a model is applied, so the base is never
copied; :func:`merge_adapters` adds them permanently.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxgap.models.config import DecoderConfig
from jaxgap.models.linear import at_least_float32
from jaxgap.models.lora import LoraConfig, LoraTarget, initial_a
from jaxgap.models.params import Params
from jaxgap.models.projections import ATTENTION, projection_shape


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
            in_size, out_size, _ = projection_shape(config, target.name)
            draw = jax.random.fold_in(key, layer * len(lora.targets) + index)
            blocks.setdefault(layer, {}).setdefault(part, {})[target.name] = {
                "lora_a": initial_a(draw, in_size, target.rank),
                "lora_b": jnp.zeros((target.rank, out_size)),
            }
    return {"blocks": blocks}


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
    merged = jax.tree.map(at_least_float32, params)  # new dicts, to be changed here
    for layer, block in adapters["blocks"].items():
        for part, modules in block.items():
            for name, adapter in modules.items():
                target = lora.target(name)
                assert target is not None
                module = merged["blocks"][layer][part][name]
                low, high = (at_least_float32(adapter[each]) for each in ("lora_a", "lora_b"))
                module["kernel"] = module["kernel"] + target.scale * jnp.dot(low, high)
    return merged
