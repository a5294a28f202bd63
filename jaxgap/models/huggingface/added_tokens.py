"""Tokens that `tokenizer_config.json` adds to those of `tokenizer.json`, as transformers adds them.

Its `added_tokens_decoder` gives tokens with their ids, and how each takes the white space around
it; tokens that it names (`eos_token` and others) are special, whatever `tokenizer.json` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxgap.models.extra import import_extra
from jaxgap.models.outside import ModelFileError

_NAMES = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
_LISTS = ("additional_special_tokens", "extra_special_tokens")
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def add_tokens(backend: Any, settings: dict[str, Any], where: str) -> None:
    """Add to a backend what the settings know of tokens.

    No id is made up: a token that is named, but has no id anywhere, is left out.

    **Arguments:**

    - `backend`: the `tokenizers.Tokenizer`, changed in place.
    - `settings`: of `tokenizer_config.json`.
    - `where`: that file, for messages.

    **Raises:** `ModelFileError` in one line if a token of `added_tokens_decoder` cannot have the id
    that it is given there.
    """
    stated = _stated(settings, where)
    new = {number: token for number, token in stated.items() if _id(backend, token) is None}
    _register(backend, [stated[number] for number in sorted(stated)])
    for number, token in new.items():
        if _id(backend, token) != number:
            raise ModelFileError(
                f"{where}: added_tokens_decoder gives {token.content!r:.80} the id {number}, "
                f"but after those of tokenizer.json it gets {_id(backend, token)}"
            )
    known = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    named = (
        _special(known.get(token.content, token))
        for value in _named(settings)
        if (token := _token(value)) is not None and _id(backend, token) is not None
    )
    _register(backend, list(named))


def token_text(value: Any) -> str | None:
    """A special token is its text, or an object with it."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


def _stated(settings: dict[str, Any], where: str) -> dict[int, Any]:
    """The tokens of `added_tokens_decoder`, by id."""
    table = settings.get("added_tokens_decoder") or {}
    if not isinstance(table, dict):
        raise ModelFileError(f"{where}: added_tokens_decoder must be an object from ids to tokens")
    stated = {}
    for number, value in table.items():
        token = _token(value)
        if not number.isdecimal() or len(number) > 9 or token is None:
            raise ModelFileError(
                f"{where}: added_tokens_decoder must be an object from ids to tokens, "
                f"got {number!r:.40}"
            )
        stated[int(number)] = token
    return stated


def _named(settings: dict[str, Any]) -> Iterator[Any]:
    """What stands where special tokens are named."""
    for name in _NAMES:
        yield settings.get(name)
    for name in _LISTS:
        values = settings.get(name)
        if isinstance(values, dict):
            values = list(values.values())
        if isinstance(values, list):
            yield from values


def _token(value: Any) -> Any:
    """The `tokenizers.AddedToken` of a text, or of an object with its text and its flags."""
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


def _id(backend: Any, token: Any) -> int | None:
    return backend.token_to_id(token.content)


def _register(backend: Any, tokens: list[Any]) -> None:
    """Add those that the backend lacks, or has otherwise; adding what it has would cost time."""
    # Tokens that differ in their flags alone are equal to the library, but not as texts.
    known = {repr(token) for token in backend.get_added_tokens_decoder().values()}
    backend.add_tokens([token for token in tokens if repr(token) not in known])
