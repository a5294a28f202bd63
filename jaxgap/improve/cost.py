"""What a run cost: tokens and floating-point operations, counted from what it measured.

Operations are counted as is usual (Kaplan et al., arXiv:2001.08361, section 2.1): 2 P for a token
that is read or sampled and 6 P for one that is trained on (4 P where only adapters are), P being
the parameters that take part in products. Attention over earlier tokens is left out, which for
texts of a few hundred tokens is a few percent. Measuring on held-out prompts is no part of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TypeVar

import jax

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.loop import Loop
from jaxgap.improve.metrics import RoundMetrics
from jaxgap.improve.records import Prompts
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
    - `trained`: tokens that gradients went through; those that a pass leaves out are not counted.
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
    config, prompts = loop.config, loop.prompts("train")
    drawn = trained_on(config, metrics)
    num_drawn = len(prompts) * config.num_candidates
    sampled = sum(num_drawn * each.train.solver_length.mean for each in drawn)
    read = float(len(drawn) * prompts.batch.mask.sum())
    if isinstance(loop.verifier, AskingVerifier):
        before, after = loop.verifier.around(prompts)
        read += len(drawn) * (sum(map(len, before)) + num_drawn * len(after))
        read += sum(num_drawn * _text_length(each) for each in drawn)
    trained = _trained_tokens(config, prompts, drawn, num_rounds=len(metrics) - 1)
    size = num_product_parameters(loop, params)
    per_trained = 4 if loop.frozen else 6
    return Cost(sampled, read, trained, size * (2 * (sampled + read) + per_trained * trained))


def _text_length(metrics: RoundMetrics) -> float:
    """Tokens of a candidate on average that a judge is shown: all but the one that ended it."""
    return metrics.train.solver_length.mean - (1 - metrics.train.truncated.mean)


def _trained_tokens(
    config: ImproveConfig, prompts: Prompts, drawn: Sequence[RoundMetrics], num_rounds: int
) -> float:
    """Tokens of the examples that the passes of some rounds take, each of average length."""
    num_steps = len(prompts) // config.batch_size
    num_taken = config.epochs_per_round * num_steps * config.batch_size
    prompt_length = prompts.batch.mask.sum() / len(prompts)
    selected = [drawn[min(i, len(drawn) - 1)].train.verifier_length for i in range(num_rounds)]
    return float(sum(num_taken * (prompt_length + each.mean) for each in selected))


def trained_on(config: ImproveConfig, checkpoints: Sequence[_T]) -> Sequence[_T]:
    """Those of a run's checkpoints whose candidates were trained on.

    What the last one draws only measures it; where candidates are fixed, so does what all but the
    first draw.
    """
    before = checkpoints[:-1]
    return before[:1] if config.candidates == "fixed" else before


def num_product_parameters(loop: Loop, params: Params) -> int:
    """Parameters that take part in products: matrices, a tied embedding once, the held ones too."""
    joined = jax.eval_shape(loop.acting_params, params)
    total = sum(leaf.size for leaf in jax.tree.leaves(joined) if leaf.ndim > 1)
    config = loop.model.config
    looked_up = 0 if config.tie_embeddings else config.vocab_size * config.hidden_size
    return total - looked_up
