"""A model written as a folder that transformers, vLLM and llama.cpp's converter read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxgap.atomic_files import current_umask
from jaxgap.errors import InputError
from jaxgap.models.config import DecoderConfig
from jaxgap.models.fast_tokenizer import FastTokenizer
from jaxgap.models.huggingface.config_json import config_json, family_of
from jaxgap.models.huggingface.shards import INDEX, SINGLE
from jaxgap.models.huggingface.tensor_names import naming_of
from jaxgap.models.language_model import LanguageModel
from jaxgap.models.params import Params
from jaxgap.models.safetensors_file import write_tensors
from jaxgap.models.tensor_layout import Stored, parameter_dtype, stored_tensor, stored_tensors

_CONFIG = "config.json"
MAX_SHARD_BYTES = 5_000_000_000
# A line of its own that ends with a block: Jinja trims its line break, and still strips the blanks
# before a block on the template's first line.
_BEGINNING = "{% if bos_token %}{{ bos_token }}{% endif %}\n"


def save_folder(
    folder: str | Path,
    model: LanguageModel,
    params: Params,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write `config.json`, `generation_config.json`, safetensors and the tokenizer's files.

    The folder appears complete or not at all. Values are stored in the parameters' floating type,
    so reading them back gives the same bits. Memory is needed for one shard besides the parameters.
    Conversations begin as they do in the model: if a GGUF file begins them with a token that its
    chat template does not write, the token is added to the template.

    **Arguments:**

    - `folder`: must not exist, or be empty.
    - `model`: without adapters (:func:`jaxgap.models.merge_adapters`), with a tokenizer that came
        from a file.
    - `params`: its parameters, all of one floating type.
    - `max_shard_bytes`: the largest file, >= 1, unless a single tensor is larger.

    **Raises:** `InputError` if the folder is not empty; `ValueError` for an unsuitable model.
    """
    if model.lora is not None or not isinstance(model.tokenizer, FastTokenizer):
        raise ValueError("model must have no adapters and a FastTokenizer; merge adapters first")
    dtype = parameter_dtype(params)
    with new_folder(Path(folder), last=_CONFIG) as path:
        config = config_json(model.config) | {"torch_dtype": dtype.name}
        write_json(path / _CONFIG, config | _special_ids(model.tokenizer))
        write_json(path / "generation_config.json", _special_ids(model.tokenizer))
        _write_tokenizer(path, model.tokenizer, model.config)
        stored = stored_tensors(model.config, naming_of(model.config))
        _write_shards(path, list(_shards(stored, dtype.itemsize, max_shard_bytes)), params)


@contextmanager
def new_folder(given: Path, *, last: str) -> Iterator[Path]:
    """A temporary folder to write to, which becomes the given one once everything is written.

    An empty folder that exists is filled: it may be a mount point or the working directory, which
    nothing replaces. The file named `last`, which readers look for, then appears after all others.

    **Raises:** `InputError` if the path exists and is not an empty folder.
    """
    path = Path(os.path.realpath(given))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{given}: exists already; give a new folder")
    is_filled = path.is_dir()
    place = path if is_filled else path.parent
    place.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=place))
    try:
        scratch.chmod(0o777 & ~current_umask())
        yield scratch
        if is_filled:
            _move_up(scratch, last)
        else:
            scratch.replace(path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _move_up(folder: Path, last: str) -> None:
    """Move the folder's files to its parent, all of them or none, and remove the folder."""
    moved = []
    try:
        for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
            moved.append(folder.parent / path.name)
            path.replace(moved[-1])
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    folder.rmdir()


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Indented JSON, without NaN or infinities."""
    path.write_text(
        json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
    )


def _special_ids(tokenizer: FastTokenizer) -> dict[str, Any]:
    ends = list(tokenizer.stop_ids)
    ids: dict[str, Any] = {
        "eos_token_id": ends if len(ends) > 1 else ends[0],
        "pad_token_id": tokenizer.pad_id,
    }
    return ids if tokenizer.bos_id is None else ids | {"bos_token_id": tokenizer.bos_id}


def _write_tokenizer(folder: Path, tokenizer: FastTokenizer, config: DecoderConfig) -> None:
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context_length,
        "clean_up_tokenization_spaces": False,
        "eos_token": _text_of(tokenizer, tokenizer.eos_id),
        "pad_token": _text_of(tokenizer, tokenizer.pad_id),
    }
    if family_of(config) == "phi3" and _is_byte_level(tokenizer):
        # llama.cpp's converter assumes SentencePiece for any other Phi-3. The default tokens of
        # this class, which transformers would add to the vocabulary, are disabled.
        settings |= {"tokenizer_class": "GPT2Tokenizer", "bos_token": None, "unk_token": None}
    if tokenizer.bos_id is not None:
        settings["bos_token"] = _text_of(tokenizer, tokenizer.bos_id)
    if tokenizer.chat_template is not None:
        beginning = _BEGINNING if _begins_unwritten(tokenizer) else ""
        settings["chat_template"] = beginning + tokenizer.chat_template.source
    write_json(folder / "tokenizer_config.json", settings)
    (folder / "tokenizer.json").write_text(tokenizer.backend.to_str(), "utf-8")


def _text_of(tokenizer: FastTokenizer, number: int) -> str:
    """The text of a token as files name it; the library gives a normalised one."""
    added = tokenizer.backend.get_added_tokens_decoder().get(number)
    return tokenizer.backend.id_to_token(number) if added is None else added.content


def _begins_unwritten(tokenizer: FastTokenizer) -> bool:
    """Whether conversations begin with a token that the chat template does not write.

    Conversations of a model in a folder begin exactly as the template says
    (:class:`FastTokenizer`).
    """
    if not tokenizer.begins_chats:
        return False
    try:
        text = tokenizer.render_chat([{"role": "user", "content": "1"}])
    except InputError:  # the template rejects a lone question
        return False
    as_read, as_written = (tokenizer.encode_batch([text], begin=begin) for begin in (True, False))
    return as_read != as_written


def _is_byte_level(tokenizer: FastTokenizer) -> bool:
    """Whether the tokenizer is byte-level BPE, like GPT-2's."""
    backend = tokenizer.backend
    return (type(backend.model).__name__, type(backend.decoder).__name__) == ("BPE", "ByteLevel")


def _shards(
    tensors: Iterator[Stored], bytes_each: int, max_bytes: int
) -> Iterator[tuple[list[Stored], int]]:
    """The tensors of each file, and its size in bytes."""
    shard, size = [], 0
    for stored in tensors:
        num_bytes = bytes_each
        for length in stored.shape:
            num_bytes *= length
        if shard and size + num_bytes > max_bytes:
            yield shard, size
            shard, size = [], 0
        shard.append(stored)
        size += num_bytes
    yield shard, size


def _write_shards(folder: Path, shards: list[tuple[list[Stored], int]], params: Params) -> None:
    weight_map = {}
    for number, (tensors, _) in enumerate(shards, 1):
        name = SINGLE
        if len(shards) > 1:
            name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        arrays = {stored.name: stored_tensor(stored, params) for stored in tensors}
        # transformers requires the format to be declared as PyTorch's.
        write_tensors(folder / name, arrays, format="pt")
        weight_map |= dict.fromkeys(arrays, name)
    if len(shards) > 1:
        total = sum(size for _, size in shards)
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
