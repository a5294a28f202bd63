"""The update step: one compiled program from parameters and a batch to new parameters.

Trainable and frozen parameters are two trees, joined inside. Full fine-tuning trains the decoder's
parameters and freezes none (`frozen = {}`); LoRA trains adapters and freezes the decoder. Frozen
parameters have no gradients, no moments and no copies.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxgap.models import LanguageModel, Params
from jaxgap.training.batch import TrainingBatch
from jaxgap.training.forward import Computation
from jaxgap.training.objective import loss_and_gradients
from jaxgap.training.optimizer import AdamW


class Update(NamedTuple):
    """The result of a step.

    **Fields:**

    - `trainable`, `opt_state`: the values after the step.
    - `loss`: the loss of the batch before the step. NaN or infinite if anything in it was; the new
        parameters are then useless, and the caller must roll back.
    - `gradient_norm`: the global norm of the gradient before clipping; non-finite as well then.
    """

    trainable: Params
    opt_state: optax.OptState
    loss: Float[Array, ""]
    gradient_norm: Float[Array, ""]


@functools.partial(
    jax.jit,
    static_argnames=("model", "optimizer", "computation"),
    donate_argnames=("trainable", "opt_state"),
)
def update(
    model: LanguageModel,
    optimizer: AdamW,
    computation: Computation,
    trainable: Params,
    frozen: Params,
    opt_state: optax.OptState,
    batch: TrainingBatch,
) -> Update:
    """One step of the optimiser; the old parameters and state are donated.

    **Arguments:**

    - `model`: the decoder, with the adapters that are in `trainable`, if any.
    - `optimizer`: the optimiser.
    - `computation`: how the gradient is computed.
    - `trainable`: the parameters to update, in float32 or wider: at usual learning rates most
        updates are below the resolution of bfloat16. Donated.
    - `frozen`: the frozen parameters, `{}` if there are none, in any floating type.
    - `opt_state`: from the previous step; initially `optimizer.transformation().init(trainable)`.
        Donated.
    - `batch`: as returned by :func:`jaxgap.training.pack`.

    **Returns:** the new parameters and state, the loss before the step, in nats, and the global
    norm of its gradient before clipping.

    **Raises:** `ValueError` if a parameter to update is narrower than float32.
    """
    _refuse_narrow(trainable)
    loss, gradients = loss_and_gradients(model, computation, trainable, frozen, batch)
    updates, opt_state = optimizer.transformation().update(gradients, opt_state, trainable)
    stepped = cast(Params, optax.apply_updates(trainable, updates))
    return Update(stepped, opt_state, loss, optax.tree.norm(gradients))


def _refuse_narrow(trainable: Params) -> None:
    for path, leaf in jax.tree.leaves_with_path(trainable):
        if jnp.finfo(leaf.dtype).bits < 32:
            raise ValueError(
                f"trainable must be in float32, got {leaf.dtype} at {jax.tree_util.keystr(path)}; "
                "load the parameters in float32, and let Computation(dtype=...) narrow the products"
            )
