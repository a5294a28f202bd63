"""`config.json` to :class:`DecoderConfig` and back.

The settings that released models of the supported families need are read; any other that would
change the arithmetic is refused by name rather than ignored. Absent keys have the defaults of
transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxgap.models.config import FAMILIES, DecoderConfig
from jaxgap.models.huggingface.rope_json import SCALINGS, parse_rope, rope_json
from jaxgap.models.model_files import MAX_LAYERS, MAX_SIZE, Fields, ModelFileError, read_json

_FULL = "full_attention"
_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def parse_config(path: Path) -> DecoderConfig:
    """The decoder that a `config.json` describes.

    **Raises:** `ModelFileError` in one line if the file is not a JSON object, is of another family,
    has a number out of range, or an unsupported setting.
    """
    values = read_json(path)
    fields = Fields(values, str(path))
    family = values.get("model_type")
    if family not in FAMILIES:
        raise fields.error("model_type", "one of " + ", ".join(FAMILIES))
    _refuse_unsupported(fields, family)
    num_heads = fields.integer("num_attention_heads", maximum=MAX_SIZE)
    hidden_size = fields.integer("hidden_size", maximum=MAX_SIZE)
    head_dim = 128 if family == "qwen3" else max(hidden_size // num_heads, 1)
    absent = "num_key_value_heads" not in values  # null means as many as heads
    kv_heads = 32 if absent and family.startswith("qwen") else num_heads
    shape: dict[str, Any] = {
        "vocab_size": fields.integer("vocab_size", maximum=MAX_SIZE),
        "hidden_size": hidden_size,
        "intermediate_size": fields.integer("intermediate_size", maximum=MAX_SIZE),
        "num_layers": fields.integer("num_hidden_layers", maximum=MAX_LAYERS),
        "num_heads": num_heads,
        "num_kv_heads": fields.integer("num_key_value_heads", kv_heads, maximum=MAX_SIZE),
        "head_dim": fields.integer("head_dim", head_dim, maximum=MAX_SIZE),
        "norm_eps": fields.number("rms_norm_eps", 1e-5 if family == "phi3" else 1e-6),
        "tie_embeddings": fields.boolean("tie_word_embeddings", False),
        "qkv_bias": family == "qwen2",
        "qk_norm": family == "qwen3",
        "context_length": _context_length(fields, family),
        "family": family,
    }
    if family == "phi3" and values.get("sliding_window") is not None:
        shape["sliding_window"] = fields.integer("sliding_window", maximum=10**12)
    shape |= parse_rope(fields, family, shape["context_length"])
    try:
        return DecoderConfig(**shape)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from None


def _context_length(fields: Fields, family: str) -> int:
    default = {"llama": 2048, "phi3": 4096}.get(family, 32768)
    return fields.integer("max_position_embeddings", default, maximum=10**12)


def _refuse_unsupported(fields: Fields, family: str) -> None:
    values = fields.values
    required: dict[str, Any] = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
    if family == "qwen2":
        del required["attention_bias"]  # it always has biases
    if family.startswith("qwen"):
        required["use_sliding_window"] = False
    for name, only in required.items():
        if values.get(name) not in (None, only):
            raise fields.error(name, f"{only!r}: nothing else is supported")
    # transformers treats null as false.
    if values.get("is_causal", True) is not True:
        raise fields.error("is_causal", "true: nothing else is supported")
    if values.get("per_layer_config"):
        raise fields.error("per_layer_config", "absent or empty: all layers are alike")
    if values.get("quantization_config"):
        legal = "absent or empty: no quantised format but GGUF is supported"
        raise fields.error("quantization_config", legal)
    if family == "llama" and values.get("sliding_window") is not None:
        raise fields.error("sliding_window", "absent: only phi3 has one here")
    layers = values.get("layer_types")
    full = layers is None or (isinstance(layers, list) and set(map(str, layers)) == {_FULL})
    if family != "phi3" and not full:
        raise fields.error("layer_types", f"{_FULL} in every layer")


def family_of(config: DecoderConfig) -> str:
    """The family of a decoder: the one stated, or else the first that computes the same.

    **Raises:** `ValueError` if the stated family, or every family, computes something else.

    >>> family_of(DecoderConfig(8, 8, 8, 1, 1, 1, 8, qk_norm=True))
    'qwen3'
    """
    candidates = FAMILIES if config.family is None else (config.family,)
    for family in candidates:
        if _computes(family, config):
            return family
    whose = "no family has" if config.family is None else f"the family {config.family} has not"
    raise ValueError(f"{whose} all that this configuration asks for")


def _computes(family: str, config: DecoderConfig) -> bool:
    if family != "phi3" and (
        config.sliding_window is not None or config.partial_rotary_factor != 1
    ):
        return False
    return (
        isinstance(config.rope_scaling, tuple(SCALINGS[family].values()))
        and config.qkv_bias == (family == "qwen2")
        and config.qk_norm == (family == "qwen3")
    )


def config_json(config: DecoderConfig) -> dict[str, Any]:
    """The `config.json` of a decoder, interpreted alike by transformers, vLLM and llama.cpp.

    **Raises:** `ValueError` if its family does not compute what the configuration says.
    """
    family = family_of(config)
    values: dict[str, Any] = {
        "architectures": [_ARCHITECTURES[family]],
        "model_type": family,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tie_embeddings,
        "max_position_embeddings": config.context_length,
        "attention_bias": False,
    }
    if config.sliding_window is not None:
        values["sliding_window"] = config.sliding_window
    return values | rope_json(config, family)
