"""What the stages of a round take and give.

None of these records has a place for a reference answer: whatever the training stages are given,
they cannot see one. Answers live in :class:`jaxgap.tasks.Problem`, which only `measure` reads.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from jaxgap.models import AbstractTokenizer, DecoderConfig, Params
from jaxgap.models.axes import shapes_on_mesh
from jaxgap.sampling import TokenBatch, pad_left
from jaxgap.tasks import NEXT_QUESTION, Prompt, as_messages, as_text, has_examples

# Apart from every number that is folded into a run's key, those of rounds among them.
_REDRAWN = 2**32 - 3

# By how much the sums of rounded probabilities may leave the range of a score.
_ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Prompts as text and as tokens padded on the left.

    **Fields:**

    - `texts`: one prompt a row, without what a chat template adds to it.
    - `batch`: the same in tokens, as the model reads it.
    - `stop_strings`: texts that end a completion, besides the tokens that do.
    """

    texts: tuple[str, ...]
    batch: TokenBatch
    stop_strings: tuple[str, ...] = ()

    @classmethod
    def encode(
        cls, tokenizer: AbstractTokenizer, prompts: Sequence[Prompt], *, thinks: bool = True
    ) -> "Prompts":
        """Encode prompts, as wide as the longest; `thinks` as in :func:`as_asked`."""
        asked = [as_asked(tokenizer, prompt, thinks=thinks) for prompt in prompts]
        rows = tokenizer.encode_batch(asked, begin=tokenizer.begins_prompts)
        batch = pad_left(rows, max(map(len, rows)), tokenizer.pad_id)
        # Without turns to end, a model goes on with the next question, and answers it too.
        goes_on = not tokenizer.has_chat and any(map(has_examples, prompts))
        return cls(tuple(map(as_text, prompts)), batch, (NEXT_QUESTION,) if goes_on else ())

    def __len__(self) -> int:
        return len(self.texts)


def as_asked(tokenizer: AbstractTokenizer, prompt: Prompt, *, thinks: bool = True) -> str:
    """A prompt as the model reads it: in its chat template if it has one.

    **Arguments:**

    - `tokenizer`: the model's.
    - `prompt`: what is asked.
    - `thinks`: whether a model that may think before it answers is let do so.
    """
    if not tokenizer.has_chat:
        return as_text(prompt)
    turns = [turn._asdict() for turn in as_messages(prompt)]
    return tokenizer.render_chat(turns, thinks=thinks)


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Sampled completions of each prompt.

    **Fields:**

    - `tokens`: sampled ids, the end token included, padding after it.
    - `mask`: which of them were sampled.
    - `logprobs`: log-probability in nats of each under the model that sampled it, 0 in padding.
    - `finished`: whether a completion drew its end token.
    - `texts`: the completions as text.
    """

    tokens: Int[np.ndarray, "prompts candidates steps"]
    mask: Bool[np.ndarray, "prompts candidates steps"]
    logprobs: Float[np.ndarray, "prompts candidates steps"]
    finished: Bool[np.ndarray, "prompts candidates"]
    texts: tuple[tuple[str, ...], ...]

    @property
    def lengths(self) -> Int[np.ndarray, "prompts candidates"]:
        """Number of sampled tokens, the end token counted."""
        return self.mask.sum(-1)

    @property
    def uncertainty(self) -> Float[np.ndarray, "prompts candidates"]:
        """Total negative log-likelihood `U_f(y|x) = -log pi_f(y|x)` in nats."""
        return -self.logprobs.sum(-1, dtype=np.float64)

    @property
    def uncertainty_per_token(self) -> Float[np.ndarray, "prompts candidates"]:
        """The same divided by the length; infinite for a completion without tokens."""
        lengths = self.lengths
        return np.where(lengths > 0, self.uncertainty / np.maximum(lengths, 1), np.inf)


Scores = Float[np.ndarray, "prompts candidates"]
"""A verifier's score in [0, 1] of each candidate."""


def as_scores(values: ArrayLike, candidates: Candidates) -> Scores:
    """What a verifier gave as numbers, which may be yes and no.

    **Raises:** `ValueError` unless it is one a candidate, and from 0 to 1 where it is finite.
    """
    scores = 1.0 * np.asarray(values)
    if scores.shape != candidates.finished.shape:
        raise ValueError(
            f"a verifier must give one score a candidate, {candidates.finished.shape}, got an "
            f"array of shape {scores.shape}"
        )
    numbers = scores[np.isfinite(scores)]
    beyond = numbers[(numbers < -_ROUNDING) | (numbers > 1 + _ROUNDING)]
    if beyond.size:
        raise ValueError(f"a verifier's scores must be from 0 to 1, got {beyond[0]:g}")
    return scores


@dataclasses.dataclass(frozen=True)
class Selected:
    """The candidate chosen for each prompt.

    **Fields:**

    - `index`: which candidate.
    - `fallback`: whether none reached the threshold.
    """

    index: Int[np.ndarray, " prompts"]
    fallback: Bool[np.ndarray, " prompts"]

    def of(self, values: np.ndarray) -> np.ndarray:
        """The entries of a `prompts candidates ...` array that belong to the chosen."""
        return values[np.arange(len(self.index)), self.index]


class TrainingSet(NamedTuple):
    """The selected completion of each training prompt: all that a round trains on.

    **Fields:**

    - `tokens`: its ids, the end token included, padding after it.
    - `mask`: which of them were sampled.
    """

    tokens: Int[np.ndarray, "prompts steps"]
    mask: Bool[np.ndarray, "prompts steps"]

    @classmethod
    def of(cls, candidates: Candidates, selected: Selected) -> "TrainingSet":
        """What was selected of the candidates."""
        return cls(selected.of(candidates.tokens), selected.of(candidates.mask))


class Training(NamedTuple):
    """How a round's training went.

    **Fields:**

    - `loss`: mean over its steps of what each lowered, the negative log-likelihood of a completion
        in nats.
    - `gradient_norm`: the largest of its steps' global norms, before clipping.
    - `learning_rate`: that of its last step.
    - `trained_tokens`: read by its steps, those of prompts included.
    - `target_tokens`: those of completions among them, which were to be predicted.
    """

    loss: float
    gradient_norm: float
    learning_rate: float
    trained_tokens: float
    target_tokens: float

    @classmethod
    def from_row(cls, row: Mapping[str, float]) -> "Training | None":
        """What the row of a checkpoint says of it; the first one says nothing."""
        return cls(*map(row.__getitem__, cls._fields)) if "loss" in row else None

    @classmethod
    def missing_in(cls, row: Mapping[str, float]) -> list[str]:
        """What the row of another version does not say of it."""
        return [name for name in cls._fields if "loss" in row and name not in row]


class LoopState(NamedTuple):
    """All that changes from round to round: a pytree, to be saved and restored whole.

    **Fields:**

    - `params`: the model's parameters.
    - `opt_state`: the optimiser's; None where that of a checkpoint was left unread.
    - `key`: the run's random key, into which each round folds its own number.
    - `round_index`: how many rounds of training are done.
    - `training`: how the last of them went; None before the first.
    """

    params: Params
    opt_state: optax.OptState | None
    key: jax.Array
    round_index: int | Any
    training: Training | None = None

    def on_mesh(self, config: DecoderConfig) -> "LoopState":
        """A state of shapes, each with the place on the devices where it belongs."""
        arrays = (self.params, self.opt_state, self.key)
        placed = (shapes_on_mesh(config, shapes) for shapes in arrays)
        return LoopState(*placed, round_index=self.round_index)

    def redrawn(self, attempt: int) -> "LoopState":
        """The same state with other random numbers ahead of it, others for each attempt."""
        return self._replace(
            key=jax.random.fold_in(jax.random.fold_in(self.key, _REDRAWN), attempt)
        )
