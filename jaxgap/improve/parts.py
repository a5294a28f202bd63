"""The parts of a run that stay fixed while the parameters change."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import jax
import numpy as np

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.external import ExternalResponses
from jaxgap.improve.keys import run_key
from jaxgap.improve.round_records import LoopState, Prompts
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.models import LanguageModel, Params, join_adapters
from jaxgap.tasks import AbstractTask, Problem, TaskSplit
from jaxgap.training import (
    AbstractSchedule,
    AdamW,
    Computation,
    Constant,
    CosineDecay,
    LinearDecay,
)


@dataclasses.dataclass(frozen=True)
class Loop:
    """The parts of a run that stay fixed while the parameters change.

    **Fields:**

    - `config`: numbers of prompts, candidates and rounds, threshold, learning rate.
    - `model`: the model without its parameters.
    - `verifier`: scores the candidates.
    - `task`: the exact grader.
    - `split`: training and held-out problems.
    - `frozen`: parameters of the model that stay frozen while its adapters are trained.
    - `external`: responses of a stronger model, if any.
    """

    config: ImproveConfig
    model: LanguageModel
    verifier: AbstractVerifier
    task: AbstractTask
    split: TaskSplit
    frozen: Params = dataclasses.field(default_factory=dict)
    external: ExternalResponses | None = None

    def init_state(self, params: Params) -> LoopState:
        """The state before the first round; `params` are the trainable parameters."""
        opt_state = self.optimizer.transformation().init(params)
        return LoopState(params, opt_state, run_key(self.config.seed), 0)

    def abstract_state(self, params: Params) -> LoopState:
        """The initial state as `jax.ShapeDtypeStruct`s, each with its sharding."""
        return jax.eval_shape(self.init_state, params).on_mesh(self.model.config)

    @property
    def optimizer(self) -> AdamW:
        """The optimiser's settings."""
        config = self.config
        return AdamW(_schedule(config), config.weight_decay, config.clip_norm)

    @property
    def computation(self) -> Computation:
        """How the update step computes; on a mesh, layers are always rematerialised.

        Models that need a mesh are short of memory rather than time; `jaxgap plan` assumes this.
        """
        again = self.config.remat or self.config.mesh
        policy = jax.checkpoint_policies.nothing_saveable if again else None
        return Computation(np.dtype(self.config.dtype), policy)

    def acting_params(self, params: Params) -> Params:
        """Parameters to sample and judge with: adapters joined in, cast to `config.dtype`."""
        joined = join_adapters(self.frozen, params)
        return jax.tree.map(lambda leaf: leaf.astype(self.config.dtype), joined)

    @functools.cached_property
    def train_prompts(self) -> Prompts:
        """The prompts of the training split, without their answers."""
        return self._encoded(self.split.train)

    @functools.cached_property
    def held_out_prompts(self) -> Prompts:
        """The prompts of the held-out split, without their answers."""
        return self._encoded(self.split.held_out)

    def _encoded(self, problems: Sequence[Problem]) -> Prompts:
        texts = [problem.prompt for problem in problems]
        return Prompts.encode(self.model.tokenizer, texts, thinks=self.config.thinking)


def _schedule(config: ImproveConfig) -> AbstractSchedule:
    peak, warm_up = config.learning_rate, config.warm_up_steps
    match config.schedule:
        case "linear":
            return LinearDecay(peak, warm_up, config.num_steps)
        case "cosine":
            return CosineDecay(peak, warm_up, config.num_steps)
        case "constant":
            return Constant(peak, warm_up)
