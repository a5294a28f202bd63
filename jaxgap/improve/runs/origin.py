"""What a run's state depends on but does not contain: problems, verifier, grader, the model."""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.parts import Loop
from jaxgap.improve.runs.digests import digests, json_digest
from jaxgap.improve.runs.own_parts import PARTS
from jaxgap.improve.runs.part_names import own_parts_of
from jaxgap.models import LanguageModel, Params
from jaxgap.sampling import TokenBatch

FROZEN, MODEL = "the frozen weights", "the properties of its model"


def origin_of(loop: Loop) -> dict[str, int]:
    """Digests of everything that must be unchanged on resuming, by name, causes before effects.

    Adapters are meaningless on other weights, and a training set is stored by prompt index and in
    the tokens of one tokenizer; a file or a branch on the hub may have changed since the run was
    interrupted. Verifier and grader may come from Python, which the configuration does not tell.
    """
    split, own = loop.split, own_parts_of(loop)
    batches = [loop.train_prompts.batch, loop.held_out_prompts.batch]
    return {
        "its problems": json_digest(
            [[problem.text, problem.answer] for problem in (*split.train, *split.held_out)]
        ),
        **{part: json_digest(own.get(setting)) for setting, part in PARTS.items()},
        "its external responses": json_digest(loop.external and _uses(loop.external)),
        **origin_of_model(loop.model, loop.frozen),
        "the tokens that end its completions": json_digest(list(loop.model.tokenizer.stop_ids)),
        "the tokens of its prompts": json_digest([_rows(batch) for batch in batches]),
    }


def origin_of_model(model: LanguageModel, frozen: Params) -> dict[str, int]:
    """Digests of what trained parameters depend on; the problems are not part of it."""
    return {FROZEN: json_digest(digests(frozen)), MODEL: json_digest(_settings(model))}


def _uses(external: ExternalResponses) -> list[object]:
    """Which response answers which prompt, and how many are used per round up to the last use.

    Trailing rounds without responses are trimmed, since rounds added later use none.
    """
    in_each_round = np.trim_zeros(np.diff(external.ends, prepend=0), "b")
    responses = [list(map(int, response)) for response in external.responses]
    return [external.prompts.tolist(), responses, in_each_round.tolist()]


def _settings(model: LanguageModel) -> dict[str, str]:
    """The non-default settings, so that a setting added by a later version is not a change."""
    return {
        field.name: repr(value)
        for field in dataclasses.fields(model.config)
        if (value := getattr(model.config, field.name)) != field.default
    }


def _rows(batch: TokenBatch) -> list[list[int]]:
    """The tokens of each row without padding."""
    pairs = zip(np.asarray(batch.tokens), np.asarray(batch.mask), strict=True)
    return [tokens[mask].tolist() for tokens, mask in pairs]
