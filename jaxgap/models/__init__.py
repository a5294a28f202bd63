"""Decoder-only language models in Flax NNX: configuration, weights, adapters, cache, tokenizers.

Real models are loaded by :func:`load_model` (a Hugging Face folder or name, or a GGUF file; the
extra `lm`) and written by :func:`save_folder`.
"""

from jaxgap.models.adapters import init_adapters, join_adapters, merge_adapters
from jaxgap.models.attention_inputs import AttentionInputs, Cache, LayerBuffer
from jaxgap.models.cache import KVCache, init_cache
from jaxgap.models.chat_template import ChatTemplate
from jaxgap.models.config import DecoderConfig
from jaxgap.models.decoder import Decoder
from jaxgap.models.fast_tokenizer import FastTokenizer
from jaxgap.models.huggingface.peft import load_adapters, save_adapters
from jaxgap.models.huggingface.save import save_folder
from jaxgap.models.language_model import LanguageModel, Mask, Tokens
from jaxgap.models.load import load_model
from jaxgap.models.lora import LoraConfig, LoraTarget
from jaxgap.models.params import Params
from jaxgap.models.rope import rotary_angles
from jaxgap.models.rope_scaling import (
    AbstractRopeScaling,
    LinearScaling,
    Llama3Scaling,
    LongRope,
    NoScaling,
)
from jaxgap.models.tokenizer import AbstractTokenizer, CharTokenizer, ChatTurn

__all__ = [
    "AbstractRopeScaling",
    "AbstractTokenizer",
    "AttentionInputs",
    "Cache",
    "CharTokenizer",
    "ChatTemplate",
    "ChatTurn",
    "Decoder",
    "DecoderConfig",
    "FastTokenizer",
    "KVCache",
    "LanguageModel",
    "LayerBuffer",
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
    "load_adapters",
    "load_model",
    "merge_adapters",
    "rotary_angles",
    "save_adapters",
    "save_folder",
]
