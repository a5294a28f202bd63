"""The names of tensors in Hugging Face checkpoints, by family."""

from __future__ import annotations

from jaxgap.models.config import DecoderConfig
from jaxgap.models.huggingface.config_json import family_of
from jaxgap.models.tensor_layout import Naming

PREFIX = "model."
_APART = (
    ("self_attn.q_proj", ("attention.query",)),
    ("self_attn.k_proj", ("attention.key",)),
    ("self_attn.v_proj", ("attention.value",)),
    ("mlp.gate_proj", ("feed_forward.gate",)),
    ("mlp.up_proj", ("feed_forward.up",)),
)
_FUSED = (
    ("self_attn.qkv_proj", ("attention.query", "attention.key", "attention.value")),
    ("mlp.gate_up_proj", ("feed_forward.gate", "feed_forward.up")),
)
_COMMON = (
    ("input_layernorm", ("attention_norm",)),
    ("self_attn.q_norm", ("attention.query_norm",)),
    ("self_attn.k_norm", ("attention.key_norm",)),
    ("self_attn.o_proj", ("attention.output",)),
    ("post_attention_layernorm", ("feed_forward_norm",)),
    ("mlp.down_proj", ("feed_forward.down",)),
)


def naming_of(config: DecoderConfig) -> Naming:
    """The tensor names of this decoder's family; Phi-3 fuses projections."""
    projections = _FUSED if family_of(config) == "phi3" else _APART
    return Naming(
        embedding=PREFIX + "embed_tokens.weight",
        norm=PREFIX + "norm.weight",
        unembedding="lm_head.weight",
        layer=PREFIX + "layers.{}.",
        modules=projections + _COMMON,
    )
