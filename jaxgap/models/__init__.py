"""A decoder-only language model in Flax NNX, its tokenizer, cache and weights."""

from jaxgap.models.cache import KVCache, init_cache, repeat_rows
from jaxgap.models.config import DecoderConfig
from jaxgap.models.decoder import Decoder
from jaxgap.models.language_model import LanguageModel, Mask, Params, Tokens
from jaxgap.models.tokenizer import AbstractTokenizer, CharTokenizer

__all__ = [
    "AbstractTokenizer",
    "CharTokenizer",
    "Decoder",
    "DecoderConfig",
    "KVCache",
    "LanguageModel",
    "Mask",
    "Params",
    "Tokens",
    "init_cache",
    "repeat_rows",
]
