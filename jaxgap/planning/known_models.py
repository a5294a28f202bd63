"""Decoders that can be planned for by name, with the values of their published `config.json`."""

from __future__ import annotations

from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.models import DecoderConfig, Llama3Scaling
from jaxgap.models.huggingface.config_json import parse_config

KNOWN_MODELS = {
    "SmolLM2-135M": DecoderConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_layers=30,
        num_heads=9,
        num_kv_heads=3,
        head_dim=64,
        rope_theta=100_000.0,
        norm_eps=1e-5,
        context_length=8192,
        family="llama",
    ),
    "Llama-3.2-3B": DecoderConfig(
        vocab_size=128_256,
        hidden_size=3072,
        intermediate_size=8192,
        num_layers=28,
        num_heads=24,
        num_kv_heads=8,
        head_dim=128,
        rope_theta=500_000.0,
        norm_eps=1e-5,
        rope_scaling=Llama3Scaling(32.0, 1.0, 4.0, 8192),
        context_length=131_072,
        family="llama",
    ),
    "Llama-3.1-8B": DecoderConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_layers=32,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        rope_theta=500_000.0,
        norm_eps=1e-5,
        tie_embeddings=False,
        rope_scaling=Llama3Scaling(8.0, 1.0, 4.0, 8192),
        context_length=131_072,
        family="llama",
    ),
}


def config_file(source: str) -> Path:
    """The `config.json` of a model that is not known by name."""
    path = Path(source)
    return path / "config.json" if path.is_dir() else path


def read_decoder_config(source: str) -> DecoderConfig:
    """The decoder given by a known name, a `config.json`, or a folder with one.

    **Raises:** `InputError` in one line if it is none of these.
    """
    if source in KNOWN_MODELS:
        return KNOWN_MODELS[source]
    path = config_file(source)
    if not path.is_file():
        raise InputError(
            f"model must be a config.json, a folder with one, or one of {', '.join(KNOWN_MODELS)}, "
            f"got {source!r}"
        )
    return parse_config(path)
