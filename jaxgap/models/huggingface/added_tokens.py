"""Tokens that a folder's files add to those of `tokenizer.json`, as in transformers.

The `added_tokens_decoder` of `tokenizer_config.json` gives tokens with their ids, and how each
strips the white space around it; older folders have `added_tokens.json` instead, with only ids.
Tokens that the settings name (`eos_token` and others) are special, whatever `tokenizer.json` says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxgap.models.extra import import_extra
from jaxgap.models.model_files import MAX_TOKENIZER_BYTES, ModelFileError, read_json

_TABLE, _OLDER_FILE = "added_tokens_decoder", "added_tokens.json"
SPECIAL_NAMES = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
_SPECIAL_LISTS = ("additional_special_tokens", "extra_special_tokens")
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def add_tokens(backend: Any, settings: dict[str, Any], folder: Path) -> None:
    """Add the tokens in a folder's files to a backend.

    No id is invented: a token that is named, but has no id anywhere, is omitted.

    **Arguments:**

    - `backend`: the `tokenizers.Tokenizer`, changed in place.
    - `settings`: of `tokenizer_config.json`, completed from the files of older folders.
    - `folder`: the folder of the settings; if they have no `added_tokens_decoder`, its
        `added_tokens.json` is read.

    **Raises:** `ModelFileError` in one line if a token cannot have its given id.
    """
    where, stated = _stated(backend, settings, folder)
    new = {number: token for number, token in stated.items() if _id(backend, token) is None}
    _register(backend, [stated[number] for number in sorted(stated)])
    for number, token in new.items():
        if _id(backend, token) != number:
            raise ModelFileError(
                f"{where} gives {token.content!r:.80} the id {number}, "
                f"but after those of tokenizer.json it gets {_id(backend, token)}"
            )
    known = _known(backend)
    named = (
        _special(known.get(token.content, token))
        for value in _named(settings)
        if (token := _token(value)) is not None and _id(backend, token) is not None
    )
    _register(backend, list(named))


def found_as_written(backend: Any) -> Any:
    """The backend with special tokens that are found in texts, and written, without normalisation.

    The files of Llama 2 declare `normalized` special tokens. After a normaliser that prepends a
    space, the library takes their texts to be `▁<s>` and `▁</s>`, which a conversation does not
    contain. transformers' `LlamaTokenizer` finds them as they are written.
    """
    added = backend.get_added_tokens_decoder()
    if all(
        backend.id_to_token(number) == token.content
        for number, token in added.items()
        if token.special or not token.normalized
    ):
        return backend
    # A new backend, since tokens that are added again keep their first text.
    values = json.loads(backend.to_str())
    for token in values["added_tokens"]:
        token["normalized"] &= not token["special"]
    return import_extra("tokenizers").Tokenizer.from_str(json.dumps(values))


def token_text(value: Any) -> str | None:
    """The text of a special token, which is given as a string or an object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _stated(backend: Any, settings: dict[str, Any], folder: Path) -> tuple[str, dict[int, Any]]:
    """The file or key that gives tokens their ids, and these tokens by id."""
    older = folder / _OLDER_FILE
    if _TABLE not in settings and older.exists():
        return str(older), _from_older(backend, settings, older)
    where = f"{folder / 'tokenizer_config.json'}: {_TABLE}"
    return where, _from_table(settings.get(_TABLE) or {}, where)


def _from_table(table: Any, where: str) -> dict[int, Any]:
    if not isinstance(table, dict):
        raise ModelFileError(f"{where} must be an object from ids to tokens")
    stated = {}
    for number, value in table.items():
        token = _token(value)
        if not number.isdecimal() or len(number) > 9 or token is None:
            raise ModelFileError(
                f"{where} must be an object from ids to tokens, got {number!r:.40}"
            )
        stated[int(number)] = token
    return stated


def _from_older(backend: Any, settings: dict[str, Any], path: Path) -> dict[int, Any]:
    """Tokens from `added_tokens.json`: special if the settings name them, with known flags kept."""
    special = {token_text(value) for value in _named(settings)}
    known, stated = _known(backend), {}
    for text, number in read_json(path, MAX_TOKENIZER_BYTES).items():
        if not text or type(number) is not int or number in stated:
            raise ModelFileError(
                f"{path}: must be an object from tokens to ids, each given once, got {text!r:.40}"
            )
        flags = {"special": text in special, "normalized": text not in special}
        stated[number] = known.get(text) or _token({"content": text} | flags)
    return stated


def _named(settings: dict[str, Any]) -> Iterator[Any]:
    """The values of all settings that name special tokens."""
    for name in SPECIAL_NAMES:
        yield settings.get(name)
    for name in _SPECIAL_LISTS:
        values = settings.get(name)
        if isinstance(values, dict):
            values = list(values.values())
        if isinstance(values, list):
            yield from values


def _token(value: Any) -> Any:
    """The `tokenizers.AddedToken` of a string, or of an object with text and flags."""
    text = token_text(value)
    if not text:
        return None
    flags = {"special": True}
    if isinstance(value, dict):
        flags |= {name: value[name] for name in _FLAGS if type(value.get(name)) is bool}
    return import_extra("tokenizers").AddedToken(text, **flags)


def _special(token: Any) -> Any:
    flags = {name: getattr(token, name) for name in _FLAGS} | {"special": True}
    return import_extra("tokenizers").AddedToken(token.content, **flags)


def _known(backend: Any) -> dict[str, Any]:
    """The added tokens that a backend has, by text."""
    return {token.content: token for token in backend.get_added_tokens_decoder().values()}


def _id(backend: Any, token: Any) -> int | None:
    return backend.token_to_id(token.content)


def _register(backend: Any, tokens: list[Any]) -> None:
    """Add tokens that the backend lacks or has with other flags; re-adding the rest is slow."""
    # The library considers tokens equal that differ only in flags; their repr differs.
    known = {repr(token) for token in backend.get_added_tokens_decoder().values()}
    backend.add_tokens([token for token in tokens if repr(token) not in known])
