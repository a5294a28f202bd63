"""What a run cost: tokens and floating-point operations, counted from what it measured.

Operations are counted as is usual (Kaplan et al., arXiv:2001.08361, section 2.1): 2 P for a token
that is read and 6 P for one that is trained on (4 P where only adapters are), P being the
parameters that take part in products but for the vocabulary's; those count likewise for the tokens
that are predicted: sampled, judged by, or trained for. Attention over earlier tokens is left out,
which for texts of a few hundred tokens is a few percent, and so is what is computed again to save
memory. Measuring on held-out prompts is no part of it.
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
    """What the rounds of a run cost.

    **Fields:**

    - `sampled`: tokens drawn.
    - `read`: tokens of prompts, and of judging prompts where the model judges: what is before the
        completions once a problem, completions and what is after them for each candidate. Equal
        candidates are judged once; how many are equal no metric says, so all are counted.
    - `trained`: tokens that gradients went through: of prompts and completions, but for the last of
        each, which predicts nothing.
    - `flops`: floating-point operations.
    """

    sampled: float
    read: float
    trained: float
    flops: float

    @property
    def tokens(self) -> float:
        """All of them."""
        return self.sampled + self.read + self.trained


def run_cost(loop: Loop, params: Params, metrics: Sequence[RoundMetrics]) -> Cost:
    """The cost of the rounds that led to the last of the measurements.

    **Arguments:**

    - `loop`, `params`: the parts of the run, as :func:`jaxgap.improve.assemble` gives them.
    - `metrics`: of every checkpoint so far.
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
    forward = body * (sampled + read) + vocabulary * (sampled + judgements)
    update = body * trained + vocabulary * targets
    return Cost(sampled, read, trained, 2 * forward + (4 if loop.frozen else 6) * update)


def _text_length(metrics: RoundMetrics) -> float:
    """Tokens of a candidate on average that a judge is shown: all but the one that ended it."""
    return metrics.train.solver_length.mean - (1 - metrics.train.truncated.mean)


def trained_on(config: ImproveConfig, checkpoints: Sequence[_T]) -> Sequence[_T]:
    """Those of a run's checkpoints whose candidates were trained on.

    What the last one draws only measures it; where candidates are fixed, so does what all but the
    first draw.
    """
    before = checkpoints[:-1]
    return before[:1] if config.candidates == "fixed" else before


def product_parameters(loop: Loop, params: Params) -> tuple[int, int]:
    """Parameters that take part in products: the layers' matrices, and the vocabulary's one."""
    joined = jax.eval_shape(loop.acting_params, params)
    total = sum(leaf.size for leaf in jax.tree.leaves(joined) if leaf.ndim > 1)
    config = loop.model.config
    vocabulary = config.vocab_size * config.hidden_size
    return total - (1 if config.tie_embeddings else 2) * vocabulary, vocabulary
