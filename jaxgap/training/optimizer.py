"""AdamW with a schedule, global-norm clipping, and weight decay of matrices only."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import optax

from jaxgap.models import Params
from jaxgap.training.schedules import AbstractSchedule


@dataclasses.dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter, arXiv:1711.05101); hashable, so static under `jax.jit`.

    A gradient `g` with global norm above `clip_norm` is first scaled down to that norm. Then

        m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
        p = p - lr (m_hat / (sqrt(v_hat) + eps) + weight_decay p)

    with bias-corrected `m_hat`, `v_hat`. Only matrices decay: norms, biases and the token embedding
    (and with it a tied unembedding) do not.

    **Fields:**

    - `schedule`: the learning rate `lr` by step.
    - `weight_decay`: decoupled weight decay, >= 0.
    - `clip_norm`: maximum global norm of a gradient, > 0; infinite for no clipping.
    - `b1`, `b2`: decay rates of the moments, in [0, 1).
    - `eps`: added to the root of the second moment, > 0.

    **Raises:** `ValueError` if a field is outside its range.
    """

    schedule: AbstractSchedule
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    b1: float = 0.9
    b2: float = 0.95
    eps: float = 1e-8

    def __post_init__(self):
        legal = {
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
            "clip_norm": (self.clip_norm > 0, "positive"),
            "b1": (0 <= self.b1 < 1, "in [0, 1)"),
            "b2": (0 <= self.b2 < 1, "in [0, 1)"),
            "eps": (0 < self.eps < math.inf, "positive"),
        }
        for name, (satisfied, words) in legal.items():
            if not satisfied:
                raise ValueError(f"{name} must be {words}, got {getattr(self, name)!r}")

    def transformation(self) -> optax.GradientTransformation:
        """Clipping, then AdamW, in optax."""
        return optax.chain(
            optax.clip_by_global_norm(self.clip_norm),
            optax.adamw(
                self.schedule.as_optax(),
                b1=self.b1,
                b2=self.b2,
                eps=self.eps,
                weight_decay=self.weight_decay,
                mask=decays,
            ),
        )


def decays(params: Params) -> Any:
    """Which leaves decay: matrices except the token embedding.

    >>> from numpy import zeros
    >>> decays({"embedding": zeros((9, 4)), "kernel": zeros((4, 4)), "scale": zeros(4)})
    {'embedding': False, 'kernel': True, 'scale': False}
    """

    def decay(path: tuple, leaf: Any) -> bool:
        return leaf.ndim > 1 and path[-1] != jax.tree_util.DictKey("embedding")

    return jax.tree_util.tree_map_with_path(decay, params)
