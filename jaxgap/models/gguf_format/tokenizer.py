"""The tokenizer that a GGUF file describes, rebuilt with the `tokenizers` library.

Two kinds are in use: byte-level BPE with merges (`gpt2`), where the file names the pre-tokenizer,
and SentencePiece's BPE (`llama`), which has scores instead of merges.
"""

from __future__ import annotations

from typing import Any

from jaxgap.errors import InputError
from jaxgap.models.chat_template import ChatTemplate
from jaxgap.models.extra import import_extra
from jaxgap.models.fast_tokenizer import FastTokenizer
from jaxgap.models.gguf_format.pre_tokenizers import byte_level_parts
from jaxgap.models.model_files import ModelFileError, library_failures

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
# A chat ends its turns with one of these, whatever the file's end of text is. As in llama.cpp they
# are control tokens, whatever their type in the file: Phi-3's files call `<|end|>` user-defined.
_END_OF_TURN = (
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
)
# llama.cpp's exceptions (llama-vocab.cpp), as in the model's own tokenizer.
_PHI3_LEAVING_SPACE = ("<unk>", "<s>", "<|endoftext|>")
_SPACE = "▁"
_MAX_PIECE = 256


def build_tokenizer(metadata: dict[str, Any], num_ids: int, where: str) -> FastTokenizer:
    """The tokenizer of a GGUF file.

    It encodes like llama.cpp. If the file's `add_bos_token` says so, every prompt begins with
    exactly one such token, conversations too, whether or not their template writes it. Special
    tokens of a Phi-3 absorb the white space that follows them, which files do not state.

    **Arguments:**

    - `metadata`: of the file.
    - `num_ids`: ids that the decoder has logits for.
    - `where`: the file, for messages.

    **Raises:** `ModelFileError` in one line for an unsupported kind or inconsistent parts.
    """
    values = {
        key.removeprefix("tokenizer.ggml."): value
        for key, value in metadata.items()
        if key.startswith("tokenizer.ggml.")
    }
    vocabulary = _Vocabulary(values, num_ids, where)
    kind = values.get("model")
    if kind not in ("gpt2", "llama"):
        raise vocabulary.error(f"tokenizer.ggml.model must be gpt2 or llama, got {kind!r:.40}")
    try:
        with library_failures(f"{where}: its tokenizer cannot be built"):
            backend = _byte_level(vocabulary) if kind == "gpt2" else _sentencepiece(vocabulary)
            takes_space = kind == "llama" and metadata.get("general.architecture") == "phi3"
            _add_special_tokens(backend, vocabulary, takes_space=takes_space)
            bos = _add_bos(backend, vocabulary, default=kind == "llama")
            return FastTokenizer(
                backend,
                num_ids,
                vocabulary.stop_ids(),
                vocabulary.pad_id(),
                bos,
                _chat_template(metadata, vocabulary),
                begins_chats=True,
            )
    except ModelFileError:
        raise
    except InputError as error:
        raise vocabulary.error(str(error)) from None


class _Vocabulary:
    """Validated tokens, their types, and the special tokens."""

    def __init__(self, values: dict[str, Any], num_ids: int, where: str):
        self.values = values
        self.where = where
        self.tokens: list[str] = self._strings("tokens")
        if not self.tokens or len(self.tokens) > num_ids:
            raise self.error(f"{len(self.tokens)} tokens for a decoder of {num_ids}")
        if len(set(self.tokens)) < len(self.tokens):
            raise self.error("a token is given twice")
        types = values.get("token_type") or [_NORMAL] * len(self.tokens)
        if not isinstance(types, list) or len(types) != len(self.tokens):
            raise self.error("tokenizer.ggml.token_type must be one number a token")
        self.types: list[int] = [
            _CONTROL if text in _END_OF_TURN else kind
            for text, kind in zip(self.tokens, types, strict=True)
        ]

    def error(self, problem: str) -> ModelFileError:
        return ModelFileError(f"{self.where}: {problem}")

    def _strings(self, name: str) -> list[str]:
        strings = self.values.get(name)
        if not isinstance(strings, list) or not all(isinstance(text, str) for text in strings):
            raise self.error(f"tokenizer.ggml.{name} must be a list of strings")
        return strings

    def merges(self) -> list[tuple[str, str]]:
        """The merges as pairs; the space that separates a pair is never the first character."""
        pairs = []
        for text in self._strings("merges"):
            space = text.find(" ", 1)
            pairs.append((text[:space], text[space + 1 :]))
        return pairs

    def scores(self) -> list[float]:
        scores = self.values.get("scores")
        if not isinstance(scores, list) or len(scores) != len(self.tokens):
            raise self.error("tokenizer.ggml.scores must be one number a token")
        return scores

    def special_id(self, name: str) -> int | None:
        """The id of `bos`, `eos`, `padding` and so on, if the file has one."""
        number = self.values.get(f"{name}_token_id")
        if number is None:
            return None
        if type(number) is not int or not 0 <= number < len(self.tokens):
            raise self.error(f"tokenizer.ggml.{name}_token_id must be the id of a token")
        return number

    def stop_ids(self) -> tuple[int, ...]:
        ends = [self.special_id("eos"), self.special_id("eot")]
        ends += [number for number, text in enumerate(self.tokens) if text in _END_OF_TURN]
        stop_ids = tuple(dict.fromkeys(number for number in ends if number is not None))
        if not stop_ids:
            raise self.error("nothing says which token ends a text (tokenizer.ggml.eos_token_id)")
        return stop_ids

    def pad_id(self) -> int:
        padding = self.special_id("padding")
        return self.stop_ids()[0] if padding is None else padding


def _byte_level(vocabulary: _Vocabulary) -> Any:
    tokenizers = import_extra("tokenizers")
    name = vocabulary.values.get("pre", "default")
    parts = byte_level_parts(name, vocabulary.where)
    ids = {token: number for number, token in enumerate(vocabulary.tokens)}
    model = tokenizers.models.BPE(
        ids, vocabulary.merges(), ignore_merges=parts.ignore_merges, fuse_unk=False
    )
    backend = tokenizers.Tokenizer(model)
    if parts.normalizer is not None:
        backend.normalizer = parts.normalizer
    backend.pre_tokenizer = parts.pre_tokenizer
    backend.decoder = tokenizers.decoders.ByteLevel()
    return backend


def _sentencepiece(vocabulary: _Vocabulary) -> Any:
    """SentencePiece's BPE joins the pair whose piece scores highest, so scores rank merges."""
    tokenizers = import_extra("tokenizers")
    ids = {token: number for number, token in enumerate(vocabulary.tokens)}
    scores = vocabulary.scores()
    normal = [number for number, kind in enumerate(vocabulary.types) if kind == _NORMAL]
    pieces = {vocabulary.tokens[number] for number in normal}
    merges = []
    for number in sorted(normal, key=lambda number: -scores[number]):
        piece = vocabulary.tokens[number]
        if len(piece) > _MAX_PIECE:  # all its splits are tried
            raise ModelFileError(f"{vocabulary.where}: token {number} has {len(piece)} characters")
        splits = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
        merges += [pair for pair in splits if pieces.issuperset(pair)]
    unknown = vocabulary.special_id("unknown")
    backend = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            ids,
            merges,
            unk_token=vocabulary.tokens[0 if unknown is None else unknown],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    steps = [tokenizers.normalizers.Replace(" ", _SPACE)]
    decoders = [
        tokenizers.decoders.Replace(_SPACE, " "),
        tokenizers.decoders.ByteFallback(),
        tokenizers.decoders.Fuse(),
    ]
    if vocabulary.values.get("add_space_prefix", True):
        steps.insert(0, tokenizers.normalizers.Prepend(_SPACE))
        decoders.append(tokenizers.decoders.Strip(" ", 1, 0))
    backend.normalizer = tokenizers.normalizers.Sequence(steps)
    backend.decoder = tokenizers.decoders.Sequence(decoders)
    return backend


def _add_special_tokens(backend: Any, vocabulary: _Vocabulary, *, takes_space: bool) -> None:
    added = import_extra("tokenizers").AddedToken
    for kind, special in ((_CONTROL, True), (_USER_DEFINED, False)):
        texts = [
            text
            for text, its_kind in zip(vocabulary.tokens, vocabulary.types, strict=True)
            if its_kind == kind and text
        ]
        tokens = [
            added(
                text,
                special=special,
                normalized=False,
                rstrip=takes_space and text not in _PHI3_LEAVING_SPACE,
            )
            for text in texts
        ]
        (backend.add_special_tokens if special else backend.add_tokens)(tokens)


def _add_bos(backend: Any, vocabulary: _Vocabulary, *, default: bool) -> int | None:
    bos = vocabulary.special_id("bos")
    default = default or vocabulary.values.get("pre") == "llama-bpe"
    if bos is not None and vocabulary.values.get("add_bos_token", default):
        text = vocabulary.tokens[bos]
        backend.post_processor = import_extra("tokenizers").processors.TemplateProcessing(
            single=[text, "$A"], pair=[text, "$A", "$B"], special_tokens=[(text, bos)]
        )
    return bos


def _chat_template(metadata: dict[str, Any], vocabulary: _Vocabulary) -> ChatTemplate | None:
    source = metadata.get("tokenizer.chat_template")
    if source is None:
        return None
    if not isinstance(source, str):
        raise InputError("tokenizer.chat_template must be text")
    names = {"bos": "bos_token", "eos": "eos_token", "padding": "pad_token", "unknown": "unk_token"}
    ids = {text: vocabulary.special_id(name) for name, text in names.items()}
    special = {text: vocabulary.tokens[i] for text, i in ids.items() if i is not None}
    return ChatTemplate(source, special)
