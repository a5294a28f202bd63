"""The cost of a run in tokens and floating-point operations, derived from its measurements.

Operations are counted as usual (Kaplan et al., arXiv:2001.08361, section 2.1): 2 P for a token read
and 6 P for a token trained on (4 P if only adapters are trained), where P is the number of
parameters in matrix products without the unembedding. The unembedding counts in the same way, but
for predicted tokens only: those sampled, judged by, or trained for. Attention over earlier tokens
(a few percent for texts of a few hundred tokens) and rematerialisation are left out. Measuring on
held-out prompts is not included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import jax

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.parts import Loop
from jaxgap.improve.verifiers.asking import AskingVerifier
from jaxgap.models import Params

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of the rounds of a run.

    **Fields:**

    - `sampled`: tokens drawn.
    - `read`: tokens of prompts, and of judging prompts if the model judges: the part before a
        completion once per problem, completions and the part after them once per candidate. Equal
        candidates are judged only once, but no metric records how many are equal, so all are
        counted. Of what ends a completion, and is not judged, one token is subtracted, although a
        stop string may have several.
    - `trained`: tokens trained on: those of prompts and completions except the last of each
        completion, which predicts nothing.
    - `flops`: floating-point operations.
    """

    sampled: float
    read: float
    trained: float
    flops: float

    @property
    def tokens(self) -> float:
        """The total number of tokens."""
        return self.sampled + self.read + self.trained


def run_cost(loop: Loop, params: Params, metrics: Sequence[RoundMetrics]) -> Cost:
    """The cost of the rounds that led to the last of the measurements.

    **Arguments:**

    - `loop`, `params`: the parts of the run, as returned by :func:`jaxgap.improve.assemble`.
    - `metrics`: the measurements of every checkpoint so far.
    """
    config, prompts = loop.config, loop.train_prompts
    drawn = trained_on(config, metrics)
    num_drawn = len(prompts) * config.num_candidates
    sampled = sum(num_drawn * each.train.solver_length.mean for each in drawn)
    read, judgements = float(len(drawn) * prompts.batch.mask.sum()), 0
    if isinstance(loop.verifier, AskingVerifier):
        before, after = loop.verifier.around(prompts)
        read += len(drawn) * (sum(map(len, before)) + num_drawn * len(after))
        read += sum(num_drawn * _text_length(each) for each in drawn)
        judgements = len(drawn) * num_drawn
    rounds = [each.training for each in metrics if each.training is not None]
    trained = sum(each.trained_tokens for each in rounds)
    targets = sum(each.target_tokens for each in rounds)
    body, vocabulary = product_parameters(loop, params)
    passed = sampled - num_drawn * len(drawn)  # the last token of a completion is not read
    forward = body * (passed + read) + vocabulary * (sampled + judgements)
    update = body * trained + vocabulary * targets
    return Cost(sampled, read, trained, 2 * forward + (4 if loop.frozen else 6) * update)


def _text_length(metrics: RoundMetrics) -> float:
    """Mean number of tokens of a candidate that a judge sees: all but the end token."""
    return metrics.train.solver_length.mean - (1 - metrics.train.truncated.mean)


def trained_on(config: ImproveConfig, checkpoints: Sequence[_T]) -> Sequence[_T]:
    """The checkpoints of a run whose candidates were trained on.

    The candidates of the last one only measure it. With fixed candidates, so do those of all but
    the first.
    """
    before = checkpoints[:-1]
    return before[:1] if config.candidates == "fixed" else before


def product_parameters(loop: Loop, params: Params) -> tuple[int, int]:
    """Numbers of parameters in matrix products: those of the layers, and the unembedding's."""
    joined = jax.eval_shape(loop.acting_params, params)
    total = sum(leaf.size for leaf in jax.tree.leaves(joined) if leaf.ndim > 1)
    config = loop.model.config
    vocabulary = config.vocab_size * config.hidden_size
    return total - (1 if config.tie_embeddings else 2) * vocabulary, vocabulary
