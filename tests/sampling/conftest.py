"""A decoder small enough for tests, with grouped-query attention."""

import jax
import pytest

from jaxgap.models import CharTokenizer, DecoderConfig, LanguageModel


@pytest.fixture(scope="session")
def tiny_model():
    tokenizer = CharTokenizer("0123456789+=")
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
    )
    return LanguageModel(config, tokenizer)


@pytest.fixture(scope="session")
def tiny_params(tiny_model):
    return tiny_model.init(jax.random.key(0))
