"""Chat templates: Jinja programs that come with a model and turn a conversation into text.

They are untrusted code. They run in Jinja's immutable sandbox (no private attributes, no mutation)
with only the filters and string methods that such templates use, and with budgets for loop
iterations and macro calls, for characters in any value, in all values created and in the output,
and for processor time. What Jinja does inside a single comparison or look-up is not bounded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgap.errors import InputError
from jaxgap.models.extra import import_extra
from jaxgap.models.tokenizer import ChatTurn

MAX_TEMPLATE_CHARS = 200_000
_MAX_PATTERN_CHARS = 200
THOUGHT_BEGINS, THOUGHT_ENDS = "<think>", "</think>"
_WORDS = "an answer that stands in no template"
_SYSTEM, _QUESTION, _REPLY = (
    {"role": role, "content": _WORDS} for role in ("system", "user", "assistant")
)


@dataclasses.dataclass(frozen=True)
class ChatTemplate:
    """A template and the special tokens that it may refer to.

    **Fields:**

    - `source`: the Jinja program.
    - `special_tokens`: by name, such as `bos_token` and `eos_token`.

    **Raises:** `InputError` if the program is too long or has a syntax error.

    >>> template = ChatTemplate("{{ messages[0].role }}: {{ messages[0].content }}", {})
    >>> template.render([{"role": "user", "content": "1+1?"}])
    'user: 1+1?'
    """

    source: str
    special_tokens: Mapping[str, str]

    def __post_init__(self):
        if len(self.source) > MAX_TEMPLATE_CHARS:
            raise InputError(
                f"the chat template has {len(self.source)} characters; "
                f"at most {MAX_TEMPLATE_CHARS} are read"
            )
        self._compiled  # noqa: B018 - a template that does not compile is refused at once

    @functools.cached_property
    def _compiled(self) -> Any:
        import_extra("jinja2")
        sandbox = import_extra("jaxgap.models.template_sandbox")
        environment = sandbox.TemplateSandbox()
        environment.globals |= {"raise_exception": _raise, "strftime_now": _strftime_now}
        try:
            return environment.from_string(self.source)
        except Exception as error:  # also Python's, which compiles Jinja's output
            raise InputError(f"the chat template cannot be compiled: {_told(error):.100}") from None

    def render(
        self,
        messages: Sequence[ChatTurn],
        *,
        add_generation_prompt: bool = True,
        thinks: bool = True,
    ) -> str:
        """The conversation as text.

        **Arguments:**

        - `messages`: its turns.
        - `add_generation_prompt`: whether to begin the assistant's turn.
        - `thinks`: False makes the model answer at once: `enable_thinking` is passed to templates
            that read it (such as Qwen3's), and if a template opens a thought anyway (such as those
            of DeepSeek-R1's distilled models and QwQ), it is closed empty.

        **Raises:** `InputError` in one line if the template refuses the messages, breaks a rule of
        the sandbox or a budget, or fails.
        """
        template = self._compiled
        # transformers defines these names besides the messages; here they are empty.
        values = {
            "messages": [dict(message) for message in messages],
            "tools": None,
            "documents": None,
        }
        if not thinks:
            values["enable_thinking"] = False
        try:
            with template.environment.budget():
                text = template.render(
                    **self.special_tokens, **values, add_generation_prompt=add_generation_prompt
                )
        except Exception as error:  # untrusted code may raise anything
            raise InputError(f"the chat template failed: {_told(error):.120}") from None
        return text if thinks or not add_generation_prompt else _without_open_thought(text)

    def around_reply(self) -> tuple[str, str, str]:
        """A rendered question and answer, split into the text before, the answer, and after.

        If the template omits the answer, all text is in the last part.

        **Raises:** `InputError` if the template refuses answers.
        """
        turns = [_QUESTION | {"content": "1"}, _REPLY]
        return self.render(turns, add_generation_prompt=False).rpartition(_WORDS)

    def around_turns(self) -> list[str]:
        """The pieces of text that the template itself writes around turns of each role.

        Roles that it refuses contribute nothing.
        """
        pieces = []
        for turns, begun in (
            ([_QUESTION], True),
            ([_SYSTEM, _QUESTION], True),
            ([_QUESTION, _REPLY], False),
        ):
            with contextlib.suppress(InputError):
                pieces += self.render(turns, add_generation_prompt=begun).split(_WORDS)
        return pieces


def _without_open_thought(text: str) -> str:
    """The text with a thought left open at its end closed, in the form of Qwen3's empty thoughts.

    A thought tag anywhere else is part of the text of a turn.
    """
    if not text.rstrip().endswith(THOUGHT_BEGINS):
        return text
    return f"{text.rstrip()}\n\n{THOUGHT_ENDS}\n\n"


def _told(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _raise(message: str) -> None:
    raise InputError(message)


def _strftime_now(pattern: str) -> str:
    """The fixed date of a template's clock, so that a prompt is the same on every day.

    It is the default of Llama's own templates where there is no clock.

    **Raises:** `InputError` if the pattern is too long, or has a field with a width (`%9999d`).
    """
    if len(pattern) > _MAX_PATTERN_CHARS or re.search(r"%[-_^#+]*[0-9]", pattern):
        raise InputError("it writes the date by a pattern that is too long, or has widths")
    return datetime.datetime(2024, 7, 26).strftime(pattern)
