"""Loading a model from a folder, a GGUF file, or the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from jaxgap.errors import InputError
from jaxgap.models.gguf_format import load_gguf
from jaxgap.models.huggingface import load_folder
from jaxgap.models.huggingface.adapter_config import CONFIG_FILE as ADAPTER_FILE
from jaxgap.models.huggingface.hub import download
from jaxgap.models.language_model import LanguageModel
from jaxgap.models.params import Params

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_PARTS_OF_FOLDERS = (".json", ".safetensors")


def load_model(
    source: str | Path,
    *,
    revision: str | None = None,
    dtype: Any = jnp.float32,
    shardings: Params | None = None,
) -> tuple[LanguageModel, Params]:
    """A model with its tokenizer, and its parameters.

    **Arguments:**

    - `source`: a folder with `config.json`, a `.gguf` file, or a hub name such as
        `HuggingFaceTB/SmolLM2-135M-Instruct`; a path that exists is never looked up on the hub.
    - `revision`: of a hub name.
    - `dtype`: floating type of the parameters, and so of the activations.
    - `shardings`: of each parameter, a tree like the parameters; by default one device, or the
        current mesh as :mod:`jaxgap.models.axes` says.

    **Returns:** the model, which contains no arrays, and its parameters as a nested dict of arrays.

    **Raises:** `InputError` in one line if there is no such model, if its files are damaged,
    hostile or of an unsupported kind, or if the extra `lm` is missing.
    """
    path = find_model(source, revision)
    load = load_folder if path.is_dir() else load_gguf
    return load(path, dtype=dtype, shardings=shardings)


def find_model(source: str | Path, revision: str | None = None) -> Path:
    """The folder or GGUF file of a model, downloaded if on the hub; nothing is read.

    **Raises:** `InputError` in one line if there is no such model, if it is an adapter or has one
    beside it, or if its folder is given for its file or the reverse.
    """
    path = _located(source, revision)
    if path.is_dir():
        _check_folder(path)
    elif path.suffix in _PARTS_OF_FOLDERS:
        raise InputError(f"{path}: a file of a model; give its folder, {path.parent}")
    return path


def _located(source: str | Path, revision: str | None) -> Path:
    path = Path(source)
    try:
        found = path.exists()
    except OSError as error:  # a file name too long, a folder without permission
        raise InputError(f"{source!s:.200}: cannot be looked for: {error.strerror}") from None
    if found:
        return path
    if path.suffix == ".gguf" or not _HUB_NAME.fullmatch(str(source)):
        raise InputError(f"{source}: no such folder or file, and no name on the hub (owner/name)")
    return download(str(source), revision)


def _check_folder(folder: Path) -> None:
    has_config, has_adapter = ((folder / name).exists() for name in ("config.json", ADAPTER_FILE))
    if has_config and has_adapter:
        # transformers would apply it, here it would be ignored.
        raise InputError(
            f"{folder}: an adapter ({ADAPTER_FILE}) is beside the model; merge it (PEFT's "
            "merge_and_unload), or move it elsewhere and load it with load_adapters"
        )
    if has_adapter:
        raise InputError(
            f"{folder}: an adapter ({ADAPTER_FILE}), not a model; give its base model, or merge "
            "them (jaxgap export --merge, or PEFT's merge_and_unload)"
        )
    files = sorted(folder.glob("*.gguf"))
    if files and not has_config:
        raise InputError(f"{folder}: no config.json, but GGUF files; give one, such as {files[0]}")
