"""Text to token ids and back."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from jaxgap.errors import InputError

ChatTurn: TypeAlias = Mapping[str, str]
"""One turn of a conversation: `role` and `content`."""


class AbstractTokenizer(abc.ABC):
    """The tokenizer interface that the loop needs."""

    @property
    @abc.abstractmethod
    def vocab_size(self) -> int:
        """Number of token ids, including special ones."""

    @property
    @abc.abstractmethod
    def pad_id(self) -> int:
        """Pads rows to a common length; never decoded."""

    @property
    @abc.abstractmethod
    def eos_id(self) -> int:
        """Ends a completion."""

    @property
    @abc.abstractmethod
    def stop_ids(self) -> tuple[int, ...]:
        """All ids that end a completion, `eos_id` first; some models end a turn with another."""

    @property
    @abc.abstractmethod
    def reply_end_id(self) -> int:
        """The one of `stop_ids` with which the model ends its turn of a conversation."""

    @abc.abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of a text, without tokens added before or after."""

    @abc.abstractmethod
    def encode_batch(self, texts: Sequence[str], *, begin: bool) -> list[list[int]]:
        """The ids of several texts.

        **Arguments:**

        - `texts`: what to encode.
        - `begin`: whether each begins a sequence, so that the initial token of many models is
            prepended, unless the text has it already (chat templates may write it).
        """

    @abc.abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of some ids, without special tokens."""

    @property
    @abc.abstractmethod
    def has_chat(self) -> bool:
        """Whether there is a chat template, so that the model expects a conversation."""

    @property
    @abc.abstractmethod
    def begins_prompts(self) -> bool:
        """The value of `begin` for encoding prompts, which are rendered if it `has_chat`.

        Plain prompts begin a sequence; a rendered one may already begin with the initial token.
        """

    def without_special_tokens(self, text: str) -> str:
        """The text with a space inserted in whatever would be a special token or mark a turn."""
        return text

    @abc.abstractmethod
    def render_chat(self, messages: Sequence[ChatTurn], *, thinks: bool = True) -> str:
        """The conversation as text for the model to continue with the assistant's next turn.

        **Arguments:**

        - `messages`: its turns.
        - `thinks`: whether a reasoning model may think first; otherwise it answers at once.

        **Raises:** `InputError` if the model has no chat template, or it fails on these messages.
        """


@dataclasses.dataclass(frozen=True)
class CharTokenizer(AbstractTokenizer):
    """One token per character, plus a padding and an end token.

    **Fields:**

    - `characters`: the alphabet, each character once; its order gives the ids.

    **Raises:** `ValueError` if a character is repeated; `encode` raises it for one outside the
    alphabet.

    >>> tokenizer = CharTokenizer("01+")
    >>> tokenizer.encode("1+0"), tokenizer.decode([1, 2, 0, tokenizer.eos_id])
    ([1, 2, 0], '1+0')
    """

    characters: str

    def __post_init__(self):
        if len(set(self.characters)) < len(self.characters):
            raise ValueError(f"characters must not repeat, got {self.characters!r}")

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {character: i for i, character in enumerate(self.characters)}

    @property
    def vocab_size(self) -> int:
        return len(self.characters) + 2

    @property
    def pad_id(self) -> int:
        return len(self.characters)

    @property
    def eos_id(self) -> int:
        return len(self.characters) + 1

    @property
    def stop_ids(self) -> tuple[int, ...]:
        return (self.eos_id,)

    @property
    def reply_end_id(self) -> int:
        return self.eos_id

    def encode(self, text: str) -> list[int]:
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            raise ValueError(
                f"the tokenizer has no token for {error.args[0]!r} in {text!r:.80}; "
                f"its characters are {self.characters!r}"
            ) from None

    def encode_batch(self, texts: Sequence[str], *, begin: bool) -> list[list[int]]:
        return [self.encode(text) for text in texts]

    @property
    def has_chat(self) -> bool:
        return False

    @property
    def begins_prompts(self) -> bool:
        return True

    def render_chat(self, messages: Sequence[ChatTurn], *, thinks: bool = True) -> str:
        raise InputError("a model with one token a character has no chat template")

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self.characters[i] for i in ids if i < len(self.characters))
