"""Everything that decides a run of the loop on the embedded model."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from jaxgap.errors import InputError

VerifierName = Literal["careful", "careless", "random"]


@dataclasses.dataclass(frozen=True)
class ImproveConfig:
    """One run of the loop: the same configuration on the same device gives the same numbers.

    **Raises:** `InputError` (a `ValueError`) naming the field, what was received and what is legal.
    """

    verifier: VerifierName = "careful"
    """Who judges: the model as a careful marker, the model as a careless marker (who shares the
    mistakes it makes), or random scores."""
    num_rounds: int = 12
    """Rounds of training, >= 1; the run has one more checkpoint than rounds."""
    num_train_prompts: int = 512
    """Prompts the model trains on, with its own completions, >= 1."""
    num_held_out_prompts: int = 384
    """Prompts it is measured on, never trained on, >= 1."""
    num_candidates: int = 8
    """Candidates sampled a prompt (N), >= 1."""
    threshold: float = 0.5
    """Lowest score at which a candidate counts as accepted (sigma), in [0, 1]."""
    learning_rate: float = 7e-5
    """Step size of AdamW, constant over the run, > 0."""
    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW, >= 0."""
    clip_norm: float = 1.0
    """Largest global norm of a gradient, > 0."""
    epochs_per_round: int = 1
    """Passes over the selected completions each round, >= 1."""
    batch_size: int = 64
    """Completions in one training step, 1 to num_train_prompts."""
    max_new_tokens: int = 6
    """Where a completion is cut, the end token counted, >= 1."""
    prompts_per_call: int = 64
    """Prompts sampled and judged at a time, >= 1; changes memory and speed, not results."""
    num_retries: int = 2
    """How often a round is drawn afresh after a probability or a loss that is not finite, before
    the run stops; 0 stops it at once."""
    num_checkpoints_kept: int = 2
    """How many of the newest checkpoints are kept, >= 1, beside that of the highest accuracy."""
    seed: int = 0
    """Seed of the prompts drawn and of everything random in the run, >= 0."""

    def __post_init__(self):
        for name in (
            "num_rounds",
            "num_train_prompts",
            "num_held_out_prompts",
            "num_candidates",
            "epochs_per_round",
            "batch_size",
            "max_new_tokens",
            "prompts_per_call",
            "num_checkpoints_kept",
        ):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "clip_norm"):
            self._require(name, 0 < getattr(self, name) < float("inf"), "positive and finite")
        self._require("weight_decay", 0 <= self.weight_decay < float("inf"), "0 or more")
        self._require("threshold", 0 <= self.threshold <= 1, "between 0 and 1")
        self._require("num_retries", self.num_retries >= 0, "0 or more")
        self._require("seed", 0 <= self.seed < 2**32, "between 0 and 2**32 - 1")
        self._require(
            "batch_size",
            self.batch_size <= self.num_train_prompts,
            f"at most num_train_prompts={self.num_train_prompts}",
        )
        self._require(
            "verifier",
            self.verifier in ("careful", "careless", "random"),
            "careful, careless or random",
        )

    @classmethod
    def from_dict(cls, form: Any, where: str) -> ImproveConfig:
        """The configuration that `dataclasses.asdict` made a dict of.

        **Arguments:**

        - `form`: from outside, and so checked for everything.
        - `where`: the file it comes from, for the messages.

        **Raises:** `InputError` naming the field.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if not isinstance(form, dict):
            raise InputError(f"{where}: must be a JSON object")
        unknown = sorted(form.keys() - fields)
        if unknown:
            raise InputError(f"{where}: unknown setting {unknown[0]!r:.60}")
        for name, value in form.items():
            kind = type(fields[name].default)
            legal = (int, float) if kind is float else kind
            if not isinstance(value, legal) or isinstance(value, bool):
                raise InputError(
                    f"{where}: {name} must be of type {kind.__name__}, got {value!r:.60}"
                )
        try:
            return cls(**form)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def _require(self, name: str, satisfied: bool, legal: str) -> None:
        if not satisfied:
            raise InputError(f"{name} must be {legal}, got {getattr(self, name)!r}")
