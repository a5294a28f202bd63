"""A model from a folder in the Hugging Face format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp

from jaxgap.models.axes import decoder_shardings
from jaxgap.models.huggingface.config_json import parse_config
from jaxgap.models.huggingface.decoder_entries import decoder_entries
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.huggingface.tokenizer_files import load_tokenizer
from jaxgap.models.language_model import LanguageModel
from jaxgap.models.params import Params
from jaxgap.models.safetensors_file import check_tensors
from jaxgap.models.tensor_layout import params_from_tensors, stored_tensors


def load_folder(
    folder: str | Path, *, dtype: Any = jnp.float32, shardings: Params | None = None
) -> tuple[LanguageModel, Params]:
    """The model, its tokenizer and its parameters.

    Names, shapes and sizes are checked against `config.json` before any tensor is read; then each
    is read once, so that peak memory is the parameters plus one tensor.

    **Arguments:**

    - `folder`: with `config.json`, safetensors and `tokenizer.json`.
    - `dtype`: floating type of the parameters, and so of the activations.
    - `shardings`: of each parameter, a tree like the parameters; by default one device, or the
        current mesh as :mod:`jaxgap.models.axes` says.

    **Raises:** `ModelFileError` in one line if a file is missing, damaged, hostile, or of an
    unsupported model.
    """
    folder = Path(folder)
    config, entries = decoder_entries(folder, parse_config(folder / "config.json"))
    # Small files first, so that nothing is refused after the weights are read.
    model = LanguageModel(config, load_tokenizer(folder, config.vocab_size))
    shardings = shardings or decoder_shardings(config)
    stored = list(stored_tensors(config, naming_of(config)))
    found = {name: entry.shape for name, entry in entries.items()}
    check_tensors(found, {tensor.name: tensor.shape for tensor in stored}, folder)
    return model, params_from_tensors(
        iter(stored), lambda tensor: entries[tensor.name].map(), dtype, shardings, folder
    )
