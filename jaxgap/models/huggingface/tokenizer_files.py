"""The tokenizer of a Hugging Face folder: `tokenizer.json` and the files that complete it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from jaxgap.errors import InputError
from jaxgap.models.chat_template import MAX_TEMPLATE_CHARS, ChatTemplate
from jaxgap.models.extra import import_extra
from jaxgap.models.fast_tokenizer import FastTokenizer
from jaxgap.models.huggingface.added_tokens import (
    SPECIAL_NAMES,
    add_tokens,
    found_as_written,
    token_text,
)
from jaxgap.models.model_files import (
    MAX_JSON_BYTES,
    MAX_TOKENIZER_BYTES,
    ModelFileError,
    library_failures,
    read_json,
    regular_file,
)

MORE_TEMPLATES = "additional_chat_templates"
"""Folder of the templates that are not the default one, as transformers saves them."""
_DISPENSABLE = ("pad_token", "bos_token")


def load_tokenizer(folder: Path, num_ids: int) -> FastTokenizer:
    """The tokenizer in a folder.

    A completion ends with the tokenizer's own end token, with any `eos_token_id` of
    `generation_config.json`, or of `config.json` if the former has none, or with the special token
    with which the chat template ends a reply, which base models may not declare. As in
    transformers, a rendered conversation begins as its template says. A padding or beginning token
    that the decoder has no logits for is ignored.

    **Arguments:**

    - `folder`: with `tokenizer.json`, and optionally `tokenizer_config.json`,
        `special_tokens_map.json` and others.
    - `num_ids`: ids that the decoder has logits for.

    **Raises:** `ModelFileError` in one line if a file cannot be used, if no end token is declared,
    or if the declared one has no id.
    """
    try:
        return _load(folder, num_ids)
    except ModelFileError:
        raise
    except (ValueError, TypeError) as error:  # from malformed content
        raise ModelFileError(f"{folder}: {' '.join(str(error).split())[:200]}") from None


def _load(folder: Path, num_ids: int) -> FastTokenizer:
    path = folder / "tokenizer.json"
    if not path.exists():
        raise ModelFileError(
            f"{path}: no such file; transformers' save_pretrained writes it (from tokenizer.model)"
        )
    backend = load_backend(regular_file(path))
    settings = _settings(folder)
    add_tokens(backend, settings, folder)
    backend = found_as_written(backend)
    special = {name: text for name in SPECIAL_NAMES if (text := token_text(settings.get(name)))}
    eos = _end_id(backend, special.get("eos_token"), folder)
    stated = _stated_ends(folder, num_ids)
    stop_ids = tuple(dict.fromkeys(stated if eos is None else [eos, *stated]))
    if not stop_ids:
        raise ModelFileError(f"{folder}: nothing says which token ends a text (eos_token)")
    pad, bos = (_usable_id(backend, special.get(name), num_ids) for name in _DISPENSABLE)
    template = _chat_template(folder, settings, special)
    tokenizer = FastTokenizer(
        backend, num_ids, stop_ids, stop_ids[0] if pad is None else pad, bos, template
    )
    return _ending_replies(tokenizer)


def _ending_replies(tokenizer: FastTokenizer) -> FastTokenizer:
    """The tokenizer, with its chat template's end of a reply among the ends of a completion."""
    end = _reply_end(tokenizer)
    if end is None or end in tokenizer.end_ids:
        return tokenizer
    return dataclasses.replace(tokenizer, end_ids=(*tokenizer.end_ids, end))


def _reply_end(tokenizer: FastTokenizer) -> int | None:
    """The token right after a reply, if it is special and does not begin a text."""
    if tokenizer.chat_template is None:
        return None
    try:
        _, reply, after = tokenizer.chat_template.around_reply()
        ids = tokenizer.encode(after.lstrip()) if reply else []
    except InputError:  # the template accepts only questions, or the decoder lacks a token
        return None
    added = tokenizer.backend.get_added_tokens_decoder()
    is_special = bool(ids) and ids[0] in added and added[ids[0]].special
    return ids[0] if is_special and ids[0] != tokenizer.bos_id else None


def _settings(folder: Path) -> dict[str, Any]:
    """`tokenizer_config.json`, completed as transformers does.

    Older folders have no `added_tokens_decoder`, and name special tokens in a separate file.
    """
    settings = _optional(folder / "tokenizer_config.json")
    if "added_tokens_decoder" in settings:
        return settings
    return settings | _optional(folder / "special_tokens_map.json")


def _stated_ends(folder: Path, num_ids: int) -> list[int]:
    """The end ids that the model's files declare, taken from one file only, as in transformers."""
    for name in ("generation_config.json", "config.json"):
        stated = _optional(folder / name, MAX_JSON_BYTES).get("eos_token_id")
        ids = [i for i in (stated if isinstance(stated, list) else [stated]) if type(i) is int]
        beyond = [i for i in ids if not 0 <= i < num_ids]
        if beyond:
            raise ModelFileError(
                f"{folder / name}: eos_token_id must be an id of the decoder, 0 to {num_ids - 1}, "
                f"got {beyond[0]}"
            )
        if ids:
            return ids
    return []


def _end_id(backend: Any, text: str | None, folder: Path) -> int | None:
    """The id of the declared end token, if any."""
    number = None if text is None else backend.token_to_id(text)
    if text is not None and number is None:
        raise ModelFileError(
            f"{folder}: eos_token {text!r:.80} has no id in tokenizer.json, "
            "added_tokens_decoder or added_tokens.json; name a token that has one"
        )
    return number


def _usable_id(backend: Any, text: str | None, num_ids: int) -> int | None:
    """The id of a special token, if it exists and the decoder has logits for it."""
    number = None if text is None else backend.token_to_id(text)
    return None if number is None or number >= num_ids else number


def load_backend(path: Path) -> Any:
    """The `tokenizers.Tokenizer` in a file, without its truncation, padding and dropout.

    These are left over from its last use. They would truncate prompts, pad them with tokens that
    count as real, or encode a text differently each time.
    """
    tokenizers = import_extra("tokenizers")
    if path.stat().st_size > MAX_TOKENIZER_BYTES:
        raise ModelFileError(f"{path}: larger than {MAX_TOKENIZER_BYTES} bytes")
    with library_failures(f"{path}: not a tokenizer"):
        backend = tokenizers.Tokenizer.from_str(path.read_text("utf-8"))
        backend.no_truncation()
        backend.no_padding()
        if getattr(backend.model, "dropout", None):
            backend.model.dropout = None
        return backend


def _optional(path: Path, max_bytes: int = MAX_TOKENIZER_BYTES) -> dict[str, Any]:
    return read_json(path, max_bytes) if path.exists() else {}


def _chat_template(
    folder: Path, settings: dict[str, Any], special: dict[str, str]
) -> ChatTemplate | None:
    beside = folder / "chat_template.jinja"
    source = settings.get("chat_template")
    if beside.exists():
        if regular_file(beside).stat().st_size > 4 * MAX_TEMPLATE_CHARS:
            raise ModelFileError(f"{beside}: larger than any chat template")
        source = beside.read_text("utf-8", errors="strict")
    others = sorted(path.stem for path in (folder / MORE_TEMPLATES).glob("*.jinja"))
    if isinstance(source, list):
        templates = _named_templates(source)
        source = templates.get("default")
        others += templates.keys()
    if source is None and others:
        raise ModelFileError(
            f"{folder}: none of its chat templates is named default: {others!r:.80}; "
            f"save the one to use as {beside.name}"
        )
    if source is None:
        return None
    if not isinstance(source, str):
        raise InputError("chat_template must be text, or a list of named texts")
    return ChatTemplate(source, special)


def _named_templates(entries: list[Any]) -> dict[str, Any]:
    """Several templates by name; the default one is for chats without tools or documents."""
    named = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise InputError(
                "chat_template must be a list of objects that each have a name, a text"
            )
        named[entry["name"]] = entry.get("template")
    return named
