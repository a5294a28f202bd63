"""A model from a GGUF file: metadata, dequantised weights, tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgap.models.axes import decoder_shardings
from jaxgap.models.config import DecoderConfig
from jaxgap.models.gguf_format.header import GgufHeader, read_gguf_header
from jaxgap.models.gguf_format.metadata import SCALING_TENSORS, parse_metadata
from jaxgap.models.gguf_format.tokenizer import build_tokenizer
from jaxgap.models.language_model import LanguageModel
from jaxgap.models.model_files import ModelFileError
from jaxgap.models.params import Params
from jaxgap.models.safetensors_file import check_tensors
from jaxgap.models.tensor_layout import Naming, Stored, params_from_tensors, stored_tensors

_APART = (
    ("attn_q", ("attention.query",)),
    ("attn_k", ("attention.key",)),
    ("attn_v", ("attention.value",)),
    ("ffn_gate", ("feed_forward.gate",)),
    ("ffn_up", ("feed_forward.up",)),
)
_FUSED = (
    ("attn_qkv", ("attention.query", "attention.key", "attention.value")),
    ("ffn_up", ("feed_forward.gate", "feed_forward.up")),
)
_COMMON = (
    ("attn_norm", ("attention_norm",)),
    ("attn_q_norm", ("attention.query_norm",)),
    ("attn_k_norm", ("attention.key_norm",)),
    ("attn_output", ("attention.output",)),
    ("ffn_norm", ("feed_forward_norm",)),
    ("ffn_down", ("feed_forward.down",)),
)


def load_gguf(
    path: str | Path, *, dtype: Any = jnp.float32, shardings: Params | None = None
) -> tuple[LanguageModel, Params]:
    """The model, its tokenizer and its parameters, dequantised.

    **Arguments:**

    - `path`: the file.
    - `dtype`: floating type of the parameters, and so of the activations.
    - `shardings`: of each parameter, a tree like the parameters; by default one device, or the
        current mesh as :mod:`jaxgap.models.axes` says.

    **Raises:** `ModelFileError` in one line, before any tensor is read, if the file is damaged,
    hostile, or of an unsupported model; `InputError` without the extra `lm`.
    """
    path = Path(path)
    header = read_gguf_header(path)
    config = parse_metadata(header, str(path))
    tokenizer = build_tokenizer(header.metadata, config.vocab_size, str(path))
    params = load_gguf_params(path, header, config, dtype=dtype, shardings=shardings)
    return LanguageModel(config, tokenizer), params


def load_gguf_params(
    path: Path,
    header: GgufHeader,
    config: DecoderConfig,
    *,
    dtype: Any = jnp.float32,
    shardings: Params | None = None,
) -> Params:
    """Only the parameters; see :func:`load_gguf`."""
    architecture = header.metadata["general.architecture"]
    read_already = SCALING_TENSORS.get(type(config.rope_scaling), ())
    tensors = {name: place for name, place in header.tensors.items() if name not in read_already}
    if config.num_layers > len(tensors):
        raise ModelFileError(
            f"{path}: its metadata says {config.num_layers} layers, it has {len(tensors)} tensors"
        )
    shardings = shardings or decoder_shardings(config)
    stored = list(stored_tensors(config, _naming(architecture)))
    found = {name: tensor.shape for name, tensor in tensors.items()}
    check_tensors(found, {tensor.name: tensor.shape for tensor in stored}, path)
    heads = {"attn_q": config.num_heads, "attn_k": config.num_kv_heads}

    def read(tensor: Stored) -> np.ndarray:
        values = tensors[tensor.name].read()
        module = tensor.name.split(".")[-2]
        if architecture == "llama" and module in heads:
            return _unpermute(values, heads[module])
        return values

    return params_from_tensors(iter(stored), read, dtype, shardings, path)


def _naming(architecture: str) -> Naming:
    return Naming(
        embedding="token_embd.weight",
        norm="output_norm.weight",
        unembedding="output.weight",
        layer="blk.{}.",
        modules=(_FUSED if architecture == "phi3" else _APART) + _COMMON,
    )


def _unpermute(values: np.ndarray, num_heads: int) -> np.ndarray:
    """Undo llama.cpp's permutation of a Llama's query and key rows.

    It rotates neighbouring entries (2 i, 2 i + 1) of a head where this project, like Hugging Face,
    rotates (i, i + half), and its converter permutes the rows accordingly.
    """
    half = values.shape[0] // num_heads // 2
    pairs = values.reshape(num_heads, half, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)
