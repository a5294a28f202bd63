"""Whether prompts and what follows them fit the model's context, checked before a run begins."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from jaxgap.errors import InputError
from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.parts import Loop
from jaxgap.models import DecoderConfig
from jaxgap.tasks import Problem


def check_lengths(loop: Loop) -> None:
    """Reject prompts without a token, those that leave no room for a completion, and those whose
    completions would be read with rotary frequencies other than those they were started with.

    **Raises:** `InputError`.
    """
    splits = (loop.train_prompts, loop.split.train), (loop.held_out_prompts, loop.split.held_out)
    for prompts, problems in splits:
        lengths = prompts.batch.mask.sum(1)
        if lengths.min() == 0:
            raise InputError("a prompt has no tokens: give each problem of the task a text")
        _check_context(loop.model.config, problems[lengths.argmax()], int(lengths.max()))
        check_windows(loop.model.config, np.asarray(lengths), loop.config.max_new_tokens)
    if loop.external:
        _check_responses(loop, loop.external)


def _check_responses(loop: Loop, external: ExternalResponses) -> None:
    """Reject external responses that extend beyond the model's context."""
    lengths, context_length = loop.train_prompts.batch.mask.sum(1), loop.model.config.context_length
    for row, response in zip(external.prompts, external.responses, strict=True):
        end = int(lengths[row]) + len(response)
        if end > context_length:
            raise InputError(
                f"an external response ends at token {end}, and the model's context is "
                f"{context_length}: leave out that to {loop.split.train[row].short_question!r}"
            )


def _check_context(model: DecoderConfig, longest: Problem, length: int) -> None:
    if length >= model.context_length:
        raise InputError(
            f"a prompt has {length} tokens, and the model's context is {model.context_length}: "
            f"leave out {longest.short_question!r}"
        )


def check_windows(
    model: DecoderConfig, lengths: Int[np.ndarray, " prompts"], max_new_tokens: int
) -> None:
    """Reject completions that may outgrow the window within which longrope uses its short factors.

    Such a completion would be sampled with keys of both kinds in its cache, but trained on with
    keys of one kind: two different functions.

    **Raises:** `InputError`.
    """
    window = model.rope_scaling.window
    if window is None:
        return
    # Sampling ends at the model's context, so no completion crosses a window that spans it.
    ends = np.minimum(lengths + max_new_tokens, model.context_length)
    crossing = (lengths <= window) & (ends > window)
    if crossing.any():
        longest = int(lengths[crossing].max())
        room = window - longest
        advice = f"take at most {room} new tokens, or " if room > 0 else ""
        raise InputError(
            f"a prompt of {longest} tokens and max_new_tokens={max_new_tokens} cross the model's "
            f"window of {window} tokens, beyond which all of its rotary frequencies change: "
            f"{advice}leave such prompts out"
        )
