"""The small pretrained model that ships with the package, and its judging prompts.

It writes three-digit sums and marks proposed ones, like the writers and markers of its corpus: sums
that need a carry are often wrong, and the first character of the prompt makes the marker careful or
careless. `experiments/pretrain_embedded.py` makes the weights.
"""

from __future__ import annotations

from importlib import resources

from jaxgap.models.config import DecoderConfig
from jaxgap.models.language_model import LanguageModel
from jaxgap.models.params import Params
from jaxgap.models.tokenizer import CharTokenizer
from jaxgap.models.weights import load_weights

WEIGHTS_FILE = "arithmetic.safetensors"
CAREFUL_MARKER = "?{prompt}{completion}:"
CARELESS_MARKER = "!{prompt}{completion}:"
RIGHT, WRONG = "T", "F"


def embedded_language_model() -> LanguageModel:
    """The embedded model without its parameters: 1.2 million of them, 19 tokens."""
    tokenizer = CharTokenizer("0123456789+=?!:" + RIGHT + WRONG)
    config = DecoderConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=160,
        intermediate_size=432,
        num_layers=4,
        num_heads=4,
        num_kv_heads=4,
        head_dim=40,
    )
    return LanguageModel(config, tokenizer)


def load_embedded() -> tuple[LanguageModel, Params]:
    """The embedded model and its pretrained parameters, in float32."""
    model = embedded_language_model()
    with resources.as_file(resources.files(__name__) / WEIGHTS_FILE) as path:
        return model, load_weights(path, model.shapes())
