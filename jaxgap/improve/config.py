"""Everything that determines a run of the loop."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Literal, NamedTuple, get_args

from jaxgap.errors import InputError

EMBEDDED = "embedded"
"""The `model` that ships with the package."""

VerifierName = Literal[
    "true-false", "careless", "grade", "majority", "likelihood", "exact", "random"
]
CandidateMode = Literal["regenerated", "fixed"]
FloatingType = Literal["float32", "bfloat16"]
ScheduleName = Literal["constant", "linear", "cosine"]


class _Chosen(NamedTuple):
    """The values that a setting of 0 stands for."""

    embedded: float
    others: float


_CHOSEN = {
    "learning_rate": _Chosen(embedded=7e-5, others=1e-5),
    "max_new_tokens": _Chosen(embedded=6, others=256),
    "microbatch_size": _Chosen(embedded=64, others=4),
    "prompts_per_call": _Chosen(embedded=64, others=16),
}


@dataclasses.dataclass(frozen=True)
class ImproveConfig:
    """One run of the loop: the same configuration on the same device gives the same numbers."""

    model: str = EMBEDDED
    """Which model improves itself: the embedded one, a Hugging Face folder, a .gguf file, or a name
    on the hub (owner/name)."""
    task: str = "addition"
    """What it improves at: addition, reasoning-gym:SET, or one of gsm8k, math, mbpp, prontoqa and
    json with its file (gsm8k:train.jsonl), and another for held-out problems if there is one
    (gsm8k:train.jsonl,test.jsonl)."""
    task_options: str = "{}"
    """A JSON object: the configuration of a reasoning-gym set, or num_examples (solved ones before
    each question), and for json prompt_field and answer_field."""
    verifier: VerifierName = "true-false"
    """Who judges. true-false: the model, by its probability of "true" (embedded: as a careful
    marker); careless: the embedded model as a careless marker, who shares the mistakes it makes;
    grade: the model, by a grade (not embedded); majority: the share of a prompt's candidates with
    the same answer; likelihood: the geometric mean of the probabilities of its tokens; exact: the
    task's grader, an upper bound; random: random scores, the control."""
    num_rounds: int = 12
    """Rounds of training, >= 1; the run has one more checkpoint than rounds."""
    num_train_prompts: int = 512
    """Prompts the model trains on, with its own completions, >= 1."""
    num_held_out_prompts: int = 384
    """Prompts it is measured on, never trained on, >= 2: one has no standard error."""
    num_candidates: int = 8
    """Candidates sampled for each prompt (N), >= 1."""
    threshold: float = 0.5
    """Lowest score at which a candidate counts as accepted (sigma), in [0, 1]."""
    candidates: CandidateMode = "regenerated"
    """Whether training completions are resampled and reselected every round, or chosen once in the
    first."""
    external: str = ""
    """A file of JSON lines with responses of a stronger model to training prompts (fields prompt
    and response), which take the place of selected ones; empty for none. A response of more than
    --max-new-tokens, its end token counted, is refused before the run begins."""
    allocation: str = "uniform"
    """How external responses are spread over the rounds: early, uniform, late, or a share for each
    round, separated by commas, that sum to 1."""
    learning_rate: float = 0.0
    """AdamW's highest learning rate; 0 stands for 7e-5 with the embedded model and 1e-5 with
    others."""
    schedule: ScheduleName = "constant"
    """Learning-rate schedule after the warm-up: constant, or linear or cosine decay to zero over
    all rounds (those that --more-rounds adds included)."""
    warm_up_steps: int = 0
    """Training steps in which the learning rate rises linearly to --learning-rate; the first step
    already has learning_rate / (warm_up_steps + 1). Fewer than the run has."""
    weight_decay: float = 0.0
    """Decoupled weight decay of AdamW, >= 0."""
    clip_norm: float = 1.0
    """Largest global norm of a gradient, > 0."""
    epochs_per_round: int = 1
    """Passes over the selected completions each round, >= 1."""
    batch_size: int = 64
    """Completions in one training step, 1 to --num-train-prompts."""
    microbatch_size: int = 0
    """Rows of tokens whose gradient is computed at a time; memory grows with it, results change
    only by rounding. 0 stands for 64 with the embedded model and 4 with others."""
    lora_rank: int = 0
    """Rank of adapters on every projection, which are trained in place of the model; 0 for none."""
    lora_alpha: float = 32.0
    """Scale of the adapters: their product is multiplied by lora_alpha / lora_rank; > 0."""
    dtype: FloatingType = "float32"
    """Floating type of activations and products; parameters that are trained stay float32. TPUs and
    recent GPUs multiply float32 as bf16 or TF32 unless JAX_DEFAULT_MATMUL_PRECISION=highest."""
    max_new_tokens: int = 0
    """Most tokens of a completion, the end token counted; 0 stands for 6 with the embedded model
    and 256 with others."""
    thinking: bool = True
    """Let a model think before it answers; otherwise it answers at once, if its chat template has a
    switch for that (Qwen3's has) or begins a thought itself (DeepSeek-R1's does). When it judges,
    it always answers at once."""
    prompts_per_call: int = 0
    """Prompts sampled and judged at a time; changes memory and speed, not results. 0 stands for 64
    with the embedded model and 16 with others."""
    num_retries: int = 2
    """How often a round is drawn afresh after a probability, a score or a loss that is not finite,
    before the run stops; 0 stops it at once."""
    num_checkpoints_kept: int = 2
    """How many of the newest checkpoints are kept, >= 1, beside that of the highest accuracy."""
    remat: bool = False
    """Compute each layer again in the backward pass, for less memory and a third more time; on a
    mesh always."""
    mesh: str = ""
    """How all devices share the work, as data=2,fsdp=2,tensor=2, whose product must be their
    number; an axis left out is 1. data shards rows, fsdp rows and parameters, tensor heads,
    widths and vocabulary. Empty for one device."""
    seed: int = 0
    """Seed of the prompts drawn and of everything random in the run, >= 0."""

    def __post_init__(self):
        """Reject invalid settings.

        NumPy's numbers become Python's, as they are once the configuration was saved and read.

        **Raises:** `InputError` (a `ValueError`) naming the field, the value received and the legal
        values.
        """
        for field in dataclasses.fields(self):
            kind = type(field.default)
            value = _converted(getattr(self, field.name), kind)
            self._require(field.name, value is not None, f"of type {kind.__name__}")
            object.__setattr__(self, field.name, value)
        for name in (
            "num_rounds",
            "num_train_prompts",
            "num_candidates",
            "epochs_per_round",
            "batch_size",
            "num_checkpoints_kept",
        ):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        enough = self.num_held_out_prompts >= 2
        self._require("num_held_out_prompts", enough, "at least 2, for the standard errors")
        for name in ("clip_norm", "lora_alpha"):
            self._require(name, 0 < getattr(self, name) < float("inf"), "positive and finite")
        for name in _CHOSEN:
            self._require(name, 0 <= getattr(self, name) < float("inf"), "0 or more, and finite")
        self._require("weight_decay", 0 <= self.weight_decay < float("inf"), "0 or more")
        self._require("threshold", 0 <= self.threshold <= 1, "between 0 and 1")
        self._require("num_retries", self.num_retries >= 0, "0 or more")
        self._require("seed", 0 <= self.seed < 2**32, "between 0 and 2**32 - 1")
        self._require(
            "batch_size",
            self.batch_size <= self.num_train_prompts,
            f"at most num_train_prompts={self.num_train_prompts}",
        )
        most = f"0 to {self.num_steps - 1}, fewer than the run's steps"
        self._require("warm_up_steps", 0 <= self.warm_up_steps < self.num_steps, most)
        if self.mesh:
            # Imported here because it imports JAX, which --help should not wait for.
            from jaxgap.sharding import MeshShape

            MeshShape.parse(self.mesh)
        self._require("lora_rank", self.lora_rank >= 0, "0 or more")
        for name, choices in (
            ("verifier", VerifierName),
            ("candidates", CandidateMode),
            ("dtype", FloatingType),
            ("schedule", ScheduleName),
        ):
            names = get_args(choices)
            self._require(name, getattr(self, name) in names, f"one of {', '.join(names)}")

    @property
    def num_steps(self) -> int:
        """Training steps of the whole run."""
        return self.num_rounds * self.epochs_per_round * (self.num_train_prompts // self.batch_size)

    def resolved(self) -> ImproveConfig:
        """The configuration with 0s replaced by what they stand for, checked for consistency.

        **Raises:** `InputError` if the task or the verifier does not suit the model, external
        responses would be left out, or a setting belongs to a feature that is not used.
        """
        if self.model == EMBEDDED:
            self._require("task", self.task == "addition", "addition with the embedded model")
            self._require("verifier", self.verifier != "grade", "another: this model has no grades")
        else:
            self._require("verifier", self.verifier != "careless", "another with this model")
        self._require_used("allocation", "external", bool(self.external))
        self._require_used("lora_alpha", "lora_rank", bool(self.lora_rank))
        if self.external and self.num_train_prompts % self.batch_size:
            raise InputError(
                f"batch_size must divide num_train_prompts={self.num_train_prompts} with external "
                f"responses, got {self.batch_size}: each round would leave some of them out"
            )
        chosen = {
            name: values.embedded if self.model == EMBEDDED else values.others
            for name, values in _CHOSEN.items()
            if getattr(self, name) == 0
        }
        return dataclasses.replace(self, **chosen)

    @classmethod
    def from_dict(cls, form: Any, where: str) -> ImproveConfig:
        """The configuration from a dict made by `dataclasses.asdict`.

        **Arguments:**

        - `form`: untrusted input, fully validated.
        - `where`: the file it comes from, for error messages.

        **Raises:** `InputError` naming the field.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(form, dict):
            raise InputError(f"{where}: must be a JSON object")
        unknown = sorted(form.keys() - fields)
        if unknown:
            raise InputError(f"{where}: unknown setting {unknown[0]!r:.60}")
        try:
            return cls(**form)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error

    def _require_used(self, name: str, of: str, used: bool) -> None:
        """Reject a setting that would be silently ignored."""
        if not used and getattr(self, name) != getattr(ImproveConfig, name):
            raise InputError(f"{name} is {getattr(self, name)!r}, but there is no {of}")

    def _require(self, name: str, satisfied: bool, legal: str) -> None:
        if not satisfied:
            raise InputError(f"{name} must be {legal}, got {getattr(self, name)!r}")


def _converted(value: Any, kind: type) -> Any:
    """The value as a Python bool, int, float or str; `None` if it has another type."""
    if getattr(value, "ndim", None) == 0:  # a scalar of NumPy or JAX
        value = value.item()
    if kind is str and isinstance(value, os.PathLike):
        value = os.fspath(value)
    legal = (float, int) if kind is float else kind
    if not isinstance(value, legal) or isinstance(value, bool) != (kind is bool):
        return None
    try:
        return str.__str__(value) if kind is str else kind(value)
    except OverflowError:
        return None
