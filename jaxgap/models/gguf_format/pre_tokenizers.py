"""How byte-level tokenizers split text before merging, by the names that GGUF files use.

The patterns are those published with the models (OpenAI's tiktoken for GPT-4 and GPT-4o, and the
variants of Llama 3, Qwen2 and SmolLM in their `tokenizer.json`). Some have several names, as in
llama.cpp.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxgap.models.extra import import_extra
from jaxgap.models.model_files import ModelFileError

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_LOWER, _UPPER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LLAMA3 = rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}{{1,3}}|{_REST}"
_QWEN2 = rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}|{_REST}"
_PATTERNS = {
    "llama-bpe": _LLAMA3,
    "dbrx": _LLAMA3,  # Phi-4's
    "smaug-bpe": _LLAMA3,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
    "gpt-4o": (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_CONTRACTIONS}?"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
}


class ByteLevelParts(NamedTuple):
    """The tokenizer's components around the merges.

    **Fields:**

    - `normalizer`: applied to the text first, if any.
    - `pre_tokenizer`: splits it, and maps bytes to characters.
    - `ignore_merges`: whether a piece that is a token is kept whole.
    """

    normalizer: Any
    pre_tokenizer: Any
    ignore_merges: bool


def byte_level_parts(name: Any, where: str) -> ByteLevelParts:
    """The parts for a value of `tokenizer.ggml.pre`.

    **Raises:** `ModelFileError` for an unknown name: splitting text differently would silently give
    other tokens.
    """
    tokenizers = import_extra("tokenizers")
    pre = tokenizers.pre_tokenizers
    if name == "gpt-2":
        return ByteLevelParts(None, pre.ByteLevel(add_prefix_space=False), False)
    if name == "smollm":
        digits = pre.Digits(individual_digits=True)
        cut = pre.Sequence([digits, pre.ByteLevel(add_prefix_space=False)])
        return ByteLevelParts(None, cut, False)
    if name not in _PATTERNS:
        known = ", ".join(["gpt-2", "smollm", *_PATTERNS])
        raise ModelFileError(
            f"{where}: tokenizer.ggml.pre must be one of {known}, got {name!r:.40}"
        )
    split = pre.Split(tokenizers.Regex(_PATTERNS[name]), "isolated")
    bytes_only = pre.ByteLevel(add_prefix_space=False, use_regex=False)
    return ByteLevelParts(
        normalizer=tokenizers.normalizers.NFC() if _PATTERNS[name] == _QWEN2 else None,
        pre_tokenizer=pre.Sequence([split, bytes_only]),
        ignore_merges=name == "llama-bpe",
    )
