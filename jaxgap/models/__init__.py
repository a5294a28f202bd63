"""A decoder-only language model in Flax NNX, its tokenizer, cache and weights."""

from jaxgap.models.cache import KVCache, init_cache, repeat_rows
from jaxgap.models.config import DecoderConfig
from jaxgap.models.decoder import Decoder
from jaxgap.models.language_model import LanguageModel, Mask, Tokens
from jaxgap.models.lora import (
    LoraConfig,
    LoraTarget,
    Params,
    init_adapters,
    join_adapters,
    merge_adapters,
)
from jaxgap.models.rope_scaling import (
    AbstractRopeScaling,
    LinearScaling,
    Llama3Scaling,
    LongRope,
    NoScaling,
)
from jaxgap.models.tokenizer import AbstractTokenizer, CharTokenizer

__all__ = [
    "AbstractRopeScaling",
    "AbstractTokenizer",
    "CharTokenizer",
    "Decoder",
    "DecoderConfig",
    "KVCache",
    "LanguageModel",
    "LinearScaling",
    "Llama3Scaling",
    "LongRope",
    "LoraConfig",
    "LoraTarget",
    "Mask",
    "NoScaling",
    "Params",
    "Tokens",
    "init_adapters",
    "init_cache",
    "join_adapters",
    "merge_adapters",
    "repeat_rows",
]
