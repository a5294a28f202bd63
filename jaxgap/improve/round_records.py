"""The inputs and outputs of a round's stages.

None of these records has a field for a reference answer, so the training stages cannot see one.
Answers live in :class:`jaxgap.tasks.Problem`, which is read only where candidates are graded
(`grading.py`: by `measure`, and by the verifier `exact`) and where a run's problems are
fingerprinted (`origin.py`).
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import jax
import numpy as np
import optax
from jaxtyping import Bool, Float, Int

from jaxgap.improve.keys import RoundKeys, redrawn_key, round_keys
from jaxgap.improve.measures.metrics import RoundMetrics, TrainingSummary
from jaxgap.models import AbstractTokenizer, DecoderConfig, Params
from jaxgap.models.axes import shapes_on_mesh
from jaxgap.sampling import Completions, TokenBatch, pad_left
from jaxgap.tasks import NEXT_QUESTION, Prompt, as_messages, as_text, has_examples


@dataclasses.dataclass(frozen=True)
class Prompts:
    """Prompts as text and as tokens padded on the left.

    **Fields:**

    - `texts`: one prompt per row, without what a chat template adds.
    - `batch`: the prompts in tokens, as the model reads them.
    - `stop_strings`: texts that end a completion, in addition to the stop tokens.
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
        # Without chat turns to end, a model continues with the next question and answers it too.
        goes_on = not tokenizer.has_chat and any(map(has_examples, prompts))
        return cls(tuple(map(as_text, prompts)), batch, (NEXT_QUESTION,) if goes_on else ())

    def __len__(self) -> int:
        return len(self.texts)


def as_asked(tokenizer: AbstractTokenizer, prompt: Prompt, *, thinks: bool = True) -> str:
    """A prompt as the model reads it: in its chat template if it has one.

    **Arguments:**

    - `tokenizer`: the model's.
    - `prompt`: the prompt.
    - `thinks`: whether a model that can think before it answers may do so.
    """
    if not tokenizer.has_chat:
        return as_text(prompt)
    turns = [turn._asdict() for turn in as_messages(prompt)]
    return tokenizer.render_chat(turns, thinks=thinks)


Candidates: TypeAlias = Completions
"""The completions sampled for each prompt, from which one is selected."""

Scores = Float[np.ndarray, "prompts candidates"]
"""A verifier's score in [0, 1] for each candidate."""


@dataclasses.dataclass(frozen=True)
class Selected:
    """The candidate chosen for each prompt.

    **Fields:**

    - `index`: the index of the chosen candidate.
    - `fallback`: whether no candidate reached the threshold.
    """

    index: Int[np.ndarray, " prompts"]
    fallback: Bool[np.ndarray, " prompts"]

    def of(self, values: np.ndarray) -> np.ndarray:
        """The entries of a `prompts candidates ...` array that belong to the chosen candidates."""
        return values[np.arange(len(self.index)), self.index]


class TrainingSet(NamedTuple):
    """The selected completion of each training prompt: all that a round trains on.

    **Fields:**

    - `tokens`: its token ids including the end token, padded on the right.
    - `completion_mask`: which of them are real.
    """

    tokens: Int[np.ndarray, "prompts steps"]
    completion_mask: Bool[np.ndarray, "prompts steps"]

    @classmethod
    def of(cls, candidates: Candidates, selected: Selected) -> "TrainingSet":
        """The training set of the selected candidates."""
        return cls(selected.of(candidates.tokens), selected.of(candidates.completion_mask))


class Answers(NamedTuple):
    """The results of generate, verify and select on the prompts of one split.

    **Fields:**

    - `candidates`: the sampled completions.
    - `scores`: the verifier's scores of them.
    - `selected`: the one chosen for each prompt.
    """

    candidates: Candidates
    scores: Scores
    selected: Selected

    @property
    def training_set(self) -> TrainingSet:
        """The selected completions, as a training set."""
        return TrainingSet.of(self.candidates, self.selected)


class LoopState(NamedTuple):
    """Everything that changes from round to round.

    A checkpoint holds the first three fields as arrays; the other two follow from its measurements.

    **Fields:**

    - `params`: the trainable parameters.
    - `opt_state`: the optimiser's state; None if a checkpoint was loaded without it.
    - `key`: the run's random key, into which each round folds its own number.
    - `round_index`: the number of completed rounds of training.
    - `training`: a summary of the last one; None before the first.
    """

    params: Params
    opt_state: optax.OptState | None
    key: jax.Array
    round_index: int
    training: TrainingSummary | None = None

    def on_mesh(self, config: DecoderConfig) -> "LoopState":
        """The shapes and shardings of its arrays, as `jax.ShapeDtypeStruct`s, in round 0."""
        arrays = (self.params, self.opt_state, self.key)
        placed = (shapes_on_mesh(config, shapes) for shapes in arrays)
        return LoopState(*placed, round_index=0)

    @property
    def round_keys(self) -> RoundKeys:
        """The random keys of the next round."""
        return round_keys(self.key, self.round_index)

    def redrawn(self, attempt: int) -> "LoopState":
        """The same state with a new random key, different for each attempt."""
        return self._replace(key=redrawn_key(self.key, attempt))


class Checkpoint(NamedTuple):
    """What the loop yields at each checkpoint, after measuring and before training.

    **Fields:**

    - `state`: everything that the rest of the run depends on. Its buffers are donated as the run
        continues, so copy them to keep it.
    - `training_set`: what the next round trains on. It follows from the state, but with it a
        resumed run need not sample it again.
    - `metrics`: the measurements of that state.
    """

    state: LoopState
    training_set: TrainingSet
    metrics: RoundMetrics
