"""The tensors of a folder, under the names of the decoder's family.

Folders for transformers may omit the prefix `model.`, store the embedding under the name of the
unembedding, or declare both tied and contain two that differ.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from jaxgap.models.config import DecoderConfig
from jaxgap.models.huggingface.shards import read_entries
from jaxgap.models.huggingface.tensor_names import PREFIX, naming_of
from jaxgap.models.model_files import ModelFileError
from jaxgap.models.safetensors_file import Entry

_ELEMENTS_AT_ONCE = 1 << 22


def decoder_entries(folder: Path, config: DecoderConfig) -> tuple[DecoderConfig, dict[str, Entry]]:
    """The decoder in a folder, and its tensors by name, from the headers of the files.

    If the configuration ties the unembedding to the embedding but the files have a different one,
    it is untied, as in transformers. To find out, the two tensors are compared.

    **Arguments:**

    - `folder`: with safetensors.
    - `config`: what its `config.json` says.

    **Raises:** `ModelFileError` in one line if a file is missing or refused, or if there are fewer
    tensors than layers.
    """
    naming = naming_of(config)
    entries = _prefixed(read_entries(folder), naming.unembedding)
    # A hostile configuration cannot ask for more layers than the files have tensors.
    if config.num_layers > len(entries):
        raise ModelFileError(
            f"{folder}: config.json says {config.num_layers} layers, "
            f"but the files hold {len(entries)} tensors"
        )
    if not config.tie_embeddings or naming.unembedding not in entries:
        return config, entries
    embedding = entries.setdefault(naming.embedding, entries[naming.unembedding])
    if not _equal(embedding, entries[naming.unembedding]):
        return dataclasses.replace(config, tie_embeddings=False), entries
    del entries[naming.unembedding]
    return config, entries


def _prefixed(entries: dict[str, Entry], unembedding: str) -> dict[str, Entry]:
    """Names with the prefix that files of a bare model (`AutoModel`) omit."""
    if any(name.startswith(PREFIX) for name in entries):
        return entries
    return {
        name if name == unembedding else PREFIX + name: entry for name, entry in entries.items()
    }


def _equal(first: Entry, second: Entry) -> bool:
    """Whether two tensors are equal, compared a few rows at a time."""
    if first == second:
        return True
    if first.shape != second.shape or len(first.shape) != 2:
        return False
    ours, theirs = first.map(), second.map()
    step = max(1, _ELEMENTS_AT_ONCE // max(1, first.shape[1]))
    pieces = (slice(start, start + step) for start in range(0, first.shape[0], step))
    return all(np.array_equal(ours[piece], theirs[piece]) for piece in pieces)
