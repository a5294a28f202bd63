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
from jaxgap.improve.verifiers.asking import AskingVerifier
from jaxgap.models import Params

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the rounds of a run cost.

    **Fields:**

    - `sampled`: tokens drawn.
    - `read`: tokens of prompts, and of judging prompts where the model judges; these are counted as
        if every candidate were judged, though equal ones are judged once.
    - `trained`: tokens that gradients went through.
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
    config, tokenizer = loop.config, loop.model.tokenizer
    prompt_tokens = float(loop.prompts("train").batch.mask.sum())
    num_prompts, num_candidates = config.num_train_prompts, config.num_candidates
    drawn = trained_on(config, metrics)
    sampled = sum(num_prompts * num_candidates * each.train.solver_length.mean for each in drawn)
    trained = 0.0
    for before in range(len(metrics) - 1):
        selected = num_prompts * drawn[min(before, len(drawn) - 1)].train.verifier_length.mean
        trained += config.epochs_per_round * (prompt_tokens + selected)
    read = len(drawn) * prompt_tokens
    if isinstance(loop.verifier, AskingVerifier):
        words = loop.verifier.question.template.format(prompt="", completion="")
        a_prompt = prompt_tokens / num_prompts + len(tokenizer.encode(words))
        read += len(drawn) * num_prompts * num_candidates * a_prompt + sampled
    size = num_product_parameters(loop, params)
    per_trained = 4 if loop.frozen else 6
    return Cost(sampled, read, trained, size * (2 * (sampled + read) + per_trained * trained))


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
