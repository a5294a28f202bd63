"""The sizes of a round that determine its memory."""

from __future__ import annotations

import dataclasses
from typing import Literal, get_args

from jaxgap.errors import InputError

StepName = Literal["prefill", "decode", "score", "update"]
ActivationDtype = Literal["float32", "bfloat16"]
STEP_NAMES: tuple[StepName, ...] = get_args(StepName)


@dataclasses.dataclass(frozen=True)
class Workload:
    """The sizes of a round's steps. To match the defaults of `jaxgap improve`, pass
    --completion-length 256 --dtype float32 --rows 4 --num-microbatches 16; if 4 rows are not a
    multiple of the mesh's data x fsdp, use the next multiple as rows, and 64 divided by it, rounded
    up, as microbatches.
    """

    prompt_length: int = 512
    """Tokens of the longest prompt."""
    completion_length: int = 512
    """Tokens of the longest completion."""
    prompts_per_call: int = 16
    """Prompts sampled at a time."""
    num_candidates: int = 8
    """Candidates per prompt (N)."""
    judging_before: int = 16
    """Tokens the template puts before a completion, besides the prompt's own (4 to 10 for `jaxgap
    improve`, with the tokenizer of SmolLM2)."""
    judging_after: int = 40
    """Tokens the template puts after a completion (21 to 32 for `jaxgap improve`)."""
    rows: int = 16
    """Rows of a microbatch in training, each as long as prompt and completion together."""
    num_microbatches: int = 4
    """Microbatches of a training step."""
    lora_rank: int | None = None
    """Train adapters of this rank on every projection, with the model frozen in --dtype; by default
    all parameters are trained, in float32."""
    dtype: ActivationDtype = "bfloat16"
    """Floating type of activations, products and caches (float32 by default in `jaxgap
    improve`)."""

    def __post_init__(self):
        """Reject invalid sizes.

        **Raises:** `InputError` naming a field below 1, or an unknown `dtype`.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise InputError(f"{field.name} must be at least 1, got {value}")
        if self.dtype not in get_args(ActivationDtype):
            raise InputError(
                f"dtype must be one of {', '.join(get_args(ActivationDtype))}, got {self.dtype!r}"
            )

    @property
    def row_length(self) -> int:
        """Tokens of a training row."""
        return self.prompt_length + self.completion_length - 1
