"""A model from the Hugging Face hub, by name."""

from __future__ import annotations

from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.models.extra import import_extra
from jaxgap.models.huggingface.adapter_config import CONFIG_FILE as ADAPTER_FILE
from jaxgap.models.huggingface.tokenizer_files import MORE_TEMPLATES

# Nothing that could be a pickle is downloaded.
_PATTERNS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    # Never used, only seen.
    f"{MORE_TEMPLATES}/*.jinja",
    ADAPTER_FILE,
    "model*.safetensors",
    "model.safetensors.index.json",
)


def download(name: str, revision: str | None = None) -> Path:
    """Download what a model needs to the hub's cache, unless present, and return the folder.

    **Arguments:**

    - `name`: such as `HuggingFaceTB/SmolLM2-135M-Instruct`.
    - `revision`: a branch, tag or commit; name a commit for a reproducible run.

    **Raises:** `InputError` in one line if the name is unknown or gated, or the hub unreachable.
    """
    hub = import_extra("huggingface_hub")
    # The HTTP client's own errors, found through the hub's, since the client varies by version.
    client = import_extra("huggingface_hub.errors").HfHubHTTPError.__bases__
    try:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(_PATTERNS)))
    # Names that are unknown, gated or invalid; no connection, or one that breaks; Xet's transfer
    # (RuntimeError).
    except (OSError, ValueError, RuntimeError, *client) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(
            f"{name}: cannot be fetched from the Hugging Face hub: {reason:.160}"
        ) from None
