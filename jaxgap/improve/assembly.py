"""Build the parts of a run from its configuration: model, task, verifier, external responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax.numpy as jnp

from jaxgap.improve.allocation import shares
from jaxgap.improve.config import EMBEDDED, ImproveConfig
from jaxgap.improve.context_checks import check_lengths
from jaxgap.improve.external import ExternalResponses, read_external
from jaxgap.improve.keys import adapters_key, external_order_key
from jaxgap.improve.loop import self_improve
from jaxgap.improve.parts import Loop
from jaxgap.improve.round_records import Checkpoint
from jaxgap.improve.verifiers.abstract_verifier import AbstractVerifier
from jaxgap.improve.verifiers.asking import AskingVerifier, Question
from jaxgap.improve.verifiers.exact import ExactVerifier
from jaxgap.improve.verifiers.grade import GRADE
from jaxgap.improve.verifiers.likelihood import LikelihoodVerifier
from jaxgap.improve.verifiers.majority import MajorityVerifier
from jaxgap.improve.verifiers.random_scores import RandomVerifier
from jaxgap.improve.verifiers.true_false import TRUE_FALSE
from jaxgap.improve.watcher import NOBODY, Watcher
from jaxgap.models import (
    LanguageModel,
    LoraConfig,
    Params,
    init_adapters,
    load_model,
)
from jaxgap.models.axes import parameters_on_mesh
from jaxgap.models.embedded import CAREFUL_MARKER, CARELESS_MARKER, RIGHT, WRONG, load_embedded
from jaxgap.sharding import each_on_mesh, on_mesh
from jaxgap.tasks import AbstractTask, TaskSplit, named_task


def assemble(config: ImproveConfig, task: AbstractTask | None = None) -> tuple[Loop, Params]:
    """The parts of a run and its trainable parameters, on the current mesh, if any.

    **Arguments:**

    - `config`: the run.
    - `task`: a custom task in place of the one that `config` names.

    **Returns:** the loop, with its configuration resolved, and the tree to be trained: all
    parameters, or only the adapters if there are any; the other parameters are then in
    `Loop.frozen`.

    **Raises:** `InputError` in one line if the model, the task or a file cannot be read, or they do
    not fit together.
    """
    config = config.resolved()
    # Cheap reads come first: a wrong file name should be reported before weights are loaded.
    eta = shares(config.allocation, config.num_rounds) if config.external else ()
    task, split = draw_problems(config, task)
    model, frozen, params = load_parameters(config)
    verifier = make_verifier(config, model, task, split)
    external = _external(config, eta, model, split)
    loop = Loop(config, model, verifier, task, split, frozen, external)
    check_lengths(loop)
    return loop, params


def load_parameters(config: ImproveConfig) -> tuple[LanguageModel, Params, Params]:
    """The model, its frozen parameters, and its trainable ones, on the current mesh, if any.

    **Raises:** `InputError` in one line if the model cannot be read.
    """
    model, params = _load(config)
    frozen: Params = {}
    if config.lora_rank:
        lora = LoraConfig.uniform(config.lora_rank, alpha=config.lora_alpha)
        model, frozen = LanguageModel(model.config, model.tokenizer, lora), params
        params = init_adapters(model.config, lora, adapters_key(config.seed))
    frozen, params = (parameters_on_mesh(model.config, tree) for tree in (frozen, params))
    return model, frozen, params


def run(config: ImproveConfig, watcher: Watcher = NOBODY) -> Iterator[Checkpoint]:
    """Improve a model, yielding each checkpoint as it is measured; nothing is kept.

    **Arguments:**

    - `config`: the run.
    - `watcher`: callbacks for stages and progress.

    **Returns:** a lazy iterator over `config.num_rounds + 1` checkpoints, the first one before any
    training.
    """
    with on_mesh(config.mesh):
        loop, params = assemble(config)
        state = loop.init_state(params)
    yield from each_on_mesh(config.mesh, self_improve(loop, state, watcher))


def draw_problems(
    config: ImproveConfig, task: AbstractTask | None = None
) -> tuple[AbstractTask, TaskSplit]:
    """The given task, or the one that the configuration names, and the problems of its two splits.

    **Raises:** `InputError` in one line if the task or one of its files cannot be read.
    """
    if task is None:
        task = named_task(config.task, config.task_options)
    num_train, num_held_out = config.num_train_prompts, config.num_held_out_prompts
    return task, task.split(num_train, num_held_out, seed=config.seed)


def make_verifier(
    config: ImproveConfig, model: LanguageModel, task: AbstractTask, split: TaskSplit
) -> AbstractVerifier:
    """The verifier that the configuration names."""
    match config.verifier:
        case "majority":
            return MajorityVerifier(task.canonical_answers)
        case "likelihood":
            return LikelihoodVerifier()
        case "exact":
            return ExactVerifier(task, split)
        case "random":
            return RandomVerifier()
    prompts = config.prompts_per_call
    return AskingVerifier(model, named_question(config), prompts * config.num_candidates, prompts)


def named_question(config: ImproveConfig) -> Question:
    """The question of the verifier that the configuration names, if it asks the model."""
    if config.model == EMBEDDED:
        template = CARELESS_MARKER if config.verifier == "careless" else CAREFUL_MARKER
        return Question(template, ((RIGHT, 1.0), (WRONG, 0.0)))
    return GRADE if config.verifier == "grade" else TRUE_FALSE


def _load(config: ImproveConfig) -> tuple[LanguageModel, Params]:
    if config.model == EMBEDDED:
        return load_embedded()
    # Frozen parameters need no more precision than the computation uses.
    return load_model(config.model, dtype=config.dtype if config.lora_rank else jnp.float32)


def _external(
    config: ImproveConfig,
    eta: Sequence[float],
    model: LanguageModel,
    split: TaskSplit,
) -> ExternalResponses | None:
    if not config.external:
        return None
    return read_external(
        config.external,
        split.train,
        model.tokenizer,
        external_order_key(config.seed),
        eta=eta,
        max_new_tokens=config.max_new_tokens,
    )
