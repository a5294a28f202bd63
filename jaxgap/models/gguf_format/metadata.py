"""The shape of a decoder from the metadata of a GGUF file."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgap.models.config import FAMILIES, DecoderConfig
from jaxgap.models.gguf_format.header import GgufHeader
from jaxgap.models.model_files import MAX_LAYERS, MAX_SIZE, Fields, ModelFileError
from jaxgap.models.rope_scaling import (
    AbstractRopeScaling,
    LinearScaling,
    Llama3Scaling,
    LongRope,
    NoScaling,
    longrope_attention_factor,
)

ROPE_FREQS = "rope_freqs.weight"
SHORT_FACTORS = "rope_factors_short.weight"
LONG_FACTORS = "rope_factors_long.weight"
SCALING_TENSORS: dict[type[AbstractRopeScaling], tuple[str, ...]] = {
    Llama3Scaling: (ROPE_FREQS,),
    LongRope: (SHORT_FACTORS, LONG_FACTORS),
}
"""Tensors that belong to a rope scaling and are not weights."""
# Files give only the divisor of each frequency; all released Llama 3 models have these values.
_LLAMA3_LOW, _LLAMA3_HIGH, _LLAMA3_LENGTH = 1.0, 4.0, 8192
_WINDOW = "attention.sliding_window"
_PHI3_4K_WINDOW = 2047


def parse_metadata(header: GgufHeader, where: str) -> DecoderConfig:
    """The decoder that a file describes.

    **Arguments:**

    - `header`: of the file.
    - `where`: the file, for messages.

    **Raises:** `ModelFileError` in one line for an unknown architecture, a number out of range, or
    an unsupported setting.
    """
    architecture = header.metadata.get("general.architecture")
    if architecture not in FAMILIES:
        raise ModelFileError(
            f"{where}: general.architecture must be one of {', '.join(FAMILIES)}, "
            f"got {architecture!r:.60}"
        )
    count = header.metadata.get("split.count", 0)
    # Files merged by llama-gguf-split have 0.
    if count not in (0, 1):
        raise ModelFileError(f"{where}: one of several files; merge them with llama-gguf-split")
    prefix = architecture + "."
    values = {
        key.removeprefix(prefix): value
        for key, value in header.metadata.items()
        if key.startswith(prefix)
    }
    fields = Fields(values, where)
    try:
        shape = _shape(header, fields, architecture)
        _refuse_unsupported(fields, shape["head_dim"])
        return DecoderConfig(**shape)
    except ModelFileError:
        raise
    except ValueError as error:
        raise ModelFileError(f"{where}: {error}") from None


def _shape(header: GgufHeader, fields: Fields, architecture: str) -> dict[str, Any]:
    if "token_embd.weight" not in header.tensors:
        raise ModelFileError(f"{fields.where}: no tensor token_embd.weight")
    hidden_size = fields.integer("embedding_length", maximum=MAX_SIZE)
    num_heads = fields.integer("attention.head_count", maximum=MAX_SIZE)
    key_length = max(hidden_size // num_heads, 1)
    head_dim = fields.integer("attention.key_length", key_length, maximum=MAX_SIZE)
    rotary_dim = fields.integer("rope.dimension_count", head_dim, maximum=MAX_SIZE)
    if architecture != "phi3" and rotary_dim != head_dim:
        # That family's config.json cannot express it, so the model could not be exported.
        legal = f"{head_dim}, all of each head, in a {architecture}"
        raise fields.error("rope.dimension_count", legal)
    context_length = fields.integer("context_length", maximum=10**12)
    shape: dict[str, Any] = {
        "vocab_size": header.tensors["token_embd.weight"].shape[0],
        "hidden_size": hidden_size,
        "intermediate_size": fields.integer("feed_forward_length", maximum=MAX_SIZE),
        "num_layers": fields.integer("block_count", maximum=MAX_LAYERS),
        "num_heads": num_heads,
        "num_kv_heads": fields.integer("attention.head_count_kv", num_heads, maximum=MAX_SIZE),
        "head_dim": head_dim,
        "rope_theta": fields.number("rope.freq_base", 10_000.0),
        "norm_eps": fields.number("attention.layer_norm_rms_epsilon"),
        "tie_embeddings": "output.weight" not in header.tensors,
        "partial_rotary_factor": _part(rotary_dim, head_dim),
        "rope_scaling": _scaling(header, fields, architecture, context_length),
        "qkv_bias": architecture == "qwen2",
        "qk_norm": architecture == "qwen3",
        "context_length": context_length,
        "family": architecture,
    }
    if architecture == "phi3":
        shape["sliding_window"] = _window(fields, shape["num_layers"], context_length)
    elif fields.values.get(_WINDOW) and fields.integer(_WINDOW, maximum=10**12) < context_length:
        # llama.cpp writes none in these architectures, not even where a Qwen2's config.json has
        # one that is switched off.
        legal = f"absent, or at least the context length {context_length}, in a {architecture}"
        raise fields.error(_WINDOW, legal)
    return shape


def _part(rotary_dim: int, head_dim: int) -> float:
    """The part of a head that turns, whose product with its size is cut to a whole number."""
    part = rotary_dim / head_dim
    return part if int(head_dim * part) == rotary_dim else math.nextafter(part, 1.0)


def _refuse_unsupported(fields: Fields, head_dim: int) -> None:
    """Refuse settings of other architectures that would change the arithmetic."""
    # 0 means the usual value.
    usual = {"attention.scale": head_dim**-0.5, "logit_scale": 1.0}
    for name, number in usual.items():
        value = fields.values.get(name, 0)
        if value and not np.isclose(fields.number(name), number, rtol=1e-5):
            raise fields.error(name, f"{number:.6g}: nothing else is supported")
    if not fields.boolean("attention.causal", True):
        raise fields.error("attention.causal", "true: nothing else is supported")


def _window(fields: Fields, num_layers: int, context_length: int) -> int | None:
    """How many tokens each token of a Phi-3 attends to; 0 in a file means all.

    Early files of Phi-3-mini-4k and -medium-4k omit it. They are recognised by their shapes, as in
    llama.cpp.
    """
    if _WINDOW not in fields.values and num_layers in (32, 40) and context_length == 4096:
        return _PHI3_4K_WINDOW
    return fields.integer(_WINDOW, maximum=10**12) if fields.values.get(_WINDOW) else None


def _scaling(
    header: GgufHeader, fields: Fields, architecture: str, context_length: int
) -> AbstractRopeScaling:
    if architecture == "phi3" and {SHORT_FACTORS, LONG_FACTORS} <= header.tensors.keys():
        original = fields.integer(
            "rope.scaling.original_context_length", context_length, maximum=10**12
        )
        implied = longrope_attention_factor(context_length / original, original)
        return LongRope(
            _vector(header, SHORT_FACTORS),
            _vector(header, LONG_FACTORS),
            original,
            fields.number("rope.scaling.attn_factor", implied),
        )
    # llama.cpp applies this factor in every architecture.
    if fields.number("rope.scaling.attn_factor", 1.0) != 1:
        raise fields.error("rope.scaling.attn_factor", "1 without longrope's factors")
    factor = _linear_factor(fields)
    if architecture == "llama" and ROPE_FREQS in header.tensors:
        if factor != 1:
            raise fields.error("rope.scaling.factor", f"absent or 1 beside {ROPE_FREQS}")
        return _llama3(header, fields)
    if factor != 1 and architecture == "phi3":
        raise fields.error("rope.scaling.factor", "absent or 1 in a phi3 without factors")
    return NoScaling() if factor == 1 else LinearScaling(factor)


def _linear_factor(fields: Fields) -> float:
    """The divisor of positions; a file without a scaling type means linear, as in llama.cpp."""
    kind = fields.values.get("rope.scaling.type", "linear")
    if kind not in ("none", "linear"):
        raise fields.error("rope.scaling.type", "none or linear: nothing else is supported")
    # The second is the older name of the first; 0 means none.
    names = ("rope.scaling.factor", "rope.scale_linear")
    stated = next((name for name in names if name in fields.values), None)
    if kind == "none" or stated is None or fields.values[stated] == 0:
        return 1.0
    return fields.number(stated)


def _llama3(header: GgufHeader, fields: Fields) -> AbstractRopeScaling:
    """The scaling with the divisors in the file."""
    divisors = np.asarray(_vector(header, ROPE_FREQS))
    theta = fields.number("rope.freq_base", 10_000.0)
    frequencies = theta ** (-np.arange(len(divisors)) / len(divisors))
    scaling = Llama3Scaling(float(divisors.max()), _LLAMA3_LOW, _LLAMA3_HIGH, _LLAMA3_LENGTH)
    scaled = scaling.scale(jnp.asarray(frequencies), jnp.zeros(1, int))[0]
    if not np.allclose(frequencies / np.asarray(scaled), divisors, rtol=1e-4):
        raise ModelFileError(f"{fields.where}: {ROPE_FREQS} is not the scaling of Llama 3")
    return scaling


def _vector(header: GgufHeader, name: str) -> tuple[float, ...]:
    tensor = header.tensors[name]
    if len(tensor.shape) != 1 or tensor.shape[0] > MAX_SIZE:
        raise ModelFileError(f"{tensor.path}: tensor {name!r} must have one dimension")
    return tuple(float(str(value)) for value in tensor.read())
