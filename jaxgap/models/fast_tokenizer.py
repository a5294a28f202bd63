"""The tokenizer of a real model: the `tokenizers` library, special tokens, a chat template."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from jaxgap.errors import InputError
from jaxgap.models.chat_template import THOUGHT_BEGINS, THOUGHT_ENDS, ChatTemplate
from jaxgap.models.model_files import library_failures
from jaxgap.models.tokenizer import AbstractTokenizer, ChatTurn

_MARK = re.compile(r"[^\w\s]")


@dataclasses.dataclass(frozen=True, eq=False)
class FastTokenizer(AbstractTokenizer):
    """A `tokenizers.Tokenizer` and what the library does not know about it.

    Equality is identity, so that hashing is cheap.

    **Fields:**

    - `backend`: the `tokenizers.Tokenizer`; its post-processor prepends the first token to a text;
        an end that it appends is omitted.
    - `num_ids`: ids that the decoder has logits for; ids without a token decode to nothing.
    - `end_ids`: the `stop_ids`, at least one.
    - `padding_id`: the `pad_id`.
    - `bos_id`: begins a sequence, if anything does.
    - `chat_template`: turns conversations into text, if the model has one.
    - `begins_chats`: whether a rendered conversation is encoded as the beginning of a sequence, as
        in llama.cpp, or exactly as the template wrote it, as in transformers.

    Added tokens may have ids that the decoder has no logits for, as long as no text needs them.

    **Raises:** `InputError` if the base vocabulary, an end or the padding token has such an id;
    `encode` raises it for a text that needs one.
    """

    backend: Any
    num_ids: int
    end_ids: tuple[int, ...]
    padding_id: int
    bos_id: int | None
    chat_template: ChatTemplate | None
    begins_chats: bool = False

    def __post_init__(self):
        vocabulary = set(self.backend.get_vocab(False).values())
        vocabulary -= self.backend.get_added_tokens_decoder().keys()
        ids = (*vocabulary, *self.end_ids, self.padding_id)
        if not ids or max(ids) >= self.num_ids or min(ids) < 0:
            raise InputError(
                f"the tokenizer has ids from {min(ids)} to {max(ids)}, "
                f"but the decoder's are 0 to {self.num_ids - 1}"
            )

    @property
    def vocab_size(self) -> int:
        return self.num_ids

    @property
    def pad_id(self) -> int:
        return self.padding_id

    @property
    def eos_id(self) -> int:
        return self.end_ids[0]

    @property
    def stop_ids(self) -> tuple[int, ...]:
        return self.end_ids

    @functools.cached_property
    def reply_end_id(self) -> int:
        if self.chat_template is None:
            return self.eos_id
        try:
            after = self.encode(self.chat_template.around_reply()[2])
        except InputError:  # the template accepts only questions
            return self.eos_id
        return next((token for token in after if token in self.end_ids), self.eos_id)

    def encode(self, text: str) -> list[int]:
        return self.encode_batch([text], begin=False)[0]

    def encode_batch(self, texts: Sequence[str], *, begin: bool) -> list[list[int]]:
        rows = self._rows(texts, begin=begin)
        largest = max((max(row, default=0) for row in rows), default=0)
        if largest >= self.num_ids:
            raise InputError(
                f"a text needs the token {self.backend.id_to_token(largest)!r:.80} with the id "
                f"{largest}, but the decoder's ids are 0 to {self.num_ids - 1}"
            )
        if self.bos_id is None or not begin:
            return rows
        return [row[1:] if row[:2] == [self.bos_id] * 2 else row for row in rows]

    def _rows(self, texts: Sequence[str], *, begin: bool) -> list[list[int]]:
        """The ids of several texts, including those that the decoder has no logits for."""
        with library_failures("the model's tokenizer cannot encode a text"):
            try:
                encoded = self.backend.encode_batch(list(texts), add_special_tokens=begin)
            except TypeError:
                raise InputError(
                    "a text holds half of a pair of surrogates, which is no character"
                ) from None
        return [self._without_end(encoding) for encoding in encoded]

    def _without_end(self, encoding: Any) -> list[int]:
        """The ids without an end of text that the post-processor appends: a prompt goes on."""
        ids = encoding.ids
        if len(ids) > 1 and ids[-1] in self.end_ids and encoding.special_tokens_mask[-1]:
            return ids[:-1]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        with library_failures("the model's tokenizer cannot decode its tokens"):
            return self.backend.decode([int(i) for i in ids], skip_special_tokens=True)

    @property
    def has_chat(self) -> bool:
        return self.chat_template is not None

    @property
    def begins_prompts(self) -> bool:
        return self.begins_chats or not self.has_chat

    @functools.cached_property
    def _special_tokens(self) -> re.Pattern[str]:
        special = self._turn_marks()
        added = self.backend.get_added_tokens_decoder().values()
        special |= {token.content for token in added if token.special}
        # One character cannot be broken up. Longest first, since some are prefixes of others.
        texts = sorted((text for text in special if len(text) > 1), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, texts)))

    def _turn_marks(self) -> set[str]:
        """Added tokens with which the chat template marks turns; files may not call them special.

        Added words, numbers and runs of white space are not marks, and thought tags are excluded.
        """
        if self.chat_template is None:
            return set()
        added = self.backend.get_added_tokens_decoder()
        pieces = self._rows(self.chat_template.around_turns(), begin=False)
        written = {number for piece in pieces for number in piece} & added.keys()
        marks = {text for number in written if _MARK.search(text := added[number].content)}
        return marks - {THOUGHT_BEGINS, THOUGHT_ENDS}

    def without_special_tokens(self, text: str) -> str:
        if not self._special_tokens.pattern:
            return text
        return self._special_tokens.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def render_chat(self, messages: Sequence[ChatTurn], *, thinks: bool = True) -> str:
        if self.chat_template is None:
            raise InputError("the model has no chat template; give its prompts as plain text")
        return self.chat_template.render(messages, thinks=thinks)
