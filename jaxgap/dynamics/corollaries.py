"""What the paper derives from its law: how the limit moves, how long it takes, what is conserved.

These hold for the paper's rank-one coupling with any potential; those about time need a potential
with a closed form.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.coupling import RankOneCoupling
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.potential import AbstractClosedFormPotential
from jaxgap.dynamics.types import RealScalar


class LimitSensitivity(NamedTuple):
    """`dU_s_inf / dG_0` with one initial capability held fixed: the verifier's, or the solver's."""

    verifier_held: Float[Array, ""]
    solver_held: Float[Array, ""]


def limit_sensitivity(dynamics: GapDynamics) -> LimitSensitivity:
    r"""How the solver's limit changes with the initial gap (Corollary 3.1).

    $$\frac{dU_{s,\infty}}{dG_0}\Big|_{U_v(t_0)} = -\frac{r}{1-r}, \qquad
      \frac{dU_{s,\infty}}{dG_0}\Big|_{U_s(t_0)} = -\frac{1}{1-r}.$$

    A wider initial gap means a more capable solver in the end.

    **Arguments:**

    - `dynamics`: a law with a :class:`RankOneCoupling`.

    **Returns:**

    Both derivatives, dimensionless. The paper states the first, $-\beta / (\alpha - \beta)$.

    **Raises:**

    `ValueError` for any other coupling.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> limit_sensitivity(dynamics).verifier_held.item()
    -1.0

    Source: Sun et al. (arXiv:2507.00075v4), Corollary 3.1.
    """
    ratio = jnp.asarray(_rank_one(dynamics).ratio)
    return LimitSensitivity(-ratio / (1 - ratio), -1 / (1 - ratio))


def time_to_gap_limit(dynamics: GapDynamics, epsilon: RealScalar) -> Float[Array, ""]:
    r"""When the gap comes within `epsilon` of its limit (Corollary 3.2).

    $$t = t_0 + \frac{1}{\kappa} \ln\frac{|\delta|}{\epsilon}$$

    for the linear potential, and the corresponding time for every other with a closed form.

    **Arguments:**

    - `dynamics`: a law whose potential has a closed form.
    - `epsilon`: a distance > 0, in the unit of the capabilities.

    **Returns:**

    The time, in the unit of `t0` and the rate; `t0` if the gap starts that close.

    **Raises:**

    `ValueError` if the potential has no closed form.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> round(time_to_gap_limit(dynamics, 0.2).item(), 3)
    4.605

    Source: Sun et al. (arXiv:2507.00075v4), Corollary 3.2.
    """
    potential = dynamics.potential
    if not isinstance(potential, AbstractClosedFormPotential):
        raise ValueError(
            f"dynamics.potential must have a closed form, got {type(potential).__name__}: "
            "simulate it and read the time from the curve"
        )
    excess = jnp.asarray(dynamics.gap_initial - potential.gap_limit)
    there = jnp.abs(excess) <= epsilon
    # Where the gap is already there, the potential is given another value: log(0) has no slope.
    remaining = jnp.where(there, 1.0, epsilon / jnp.where(there, 1.0, jnp.abs(excess)))
    elapsed = potential.time_until(remaining)
    return dynamics.t0 + jnp.where(there, 0.0, elapsed)


def time_to_solver_limit(dynamics: GapDynamics, epsilon: RealScalar) -> Float[Array, ""]:
    r"""When the solver comes within `epsilon` of its limit.

    $$t = t_0 + \frac{1}{\kappa} \ln\frac{|\delta|}{(1 - r)\,\epsilon}$$

    for the linear potential. The solver has further to go than the gap, by a factor $1/(1-r)$, and
    so arrives later.

    **Arguments:**

    - `dynamics`: a law with a :class:`RankOneCoupling` and a potential with a closed form.
    - `epsilon`: a distance > 0, in the unit of the capabilities.

    **Returns:**

    The time, in the unit of `t0` and the rate; `t0` if the solver starts that close.

    **Raises:**

    `ValueError` for any other coupling, or a potential without a closed form.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> round(time_to_solver_limit(dynamics, 0.2).item(), 3)
    5.991

    Derived from Corollary 3.2 of Sun et al. (arXiv:2507.00075v4), which is about the gap.
    """
    return time_to_gap_limit(dynamics, (1 - _rank_one(dynamics).ratio) * epsilon)


def time_left(dynamics: GapDynamics, epsilon: RealScalar, now: RealScalar) -> Float[Array, ""]:
    r"""How much longer until the solver is within `epsilon` of its limit, never below zero.

    $$\max\big(t_\epsilon - t_{\text{now}},\ 0\big)$$

    with $t_\epsilon$ from :func:`time_to_solver_limit`.

    **Arguments:**

    - `dynamics`, `epsilon`: as for :func:`time_to_solver_limit`.
    - `now`: the present time, in time units.

    **Returns:**

    A duration in time units: rounds where the time unit is a round.

    **Raises:**

    `ValueError` as :func:`time_to_solver_limit` does.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> time_left(dynamics, 0.2, now=10.0).item()
    0.0

    Derived from Corollary 3.2 of Sun et al. (arXiv:2507.00075v4).
    """
    return jnp.maximum(time_to_solver_limit(dynamics, epsilon) - now, 0.0)


def conserved_quantity(
    dynamics: GapDynamics, ys: Float[Array, "*times 2"]
) -> Float[Array, "*times"]:
    r"""The combination of both capabilities that stays constant along a run, for any potential.

    $$C = U_v - r\,U_s$$

    that is, $\alpha U_v - \beta U_s$ in units of $\alpha$. If measured curves do not conserve it,
    no choice of potential can save the theory.

    **Arguments:**

    - `dynamics`: a law with a :class:`RankOneCoupling`.
    - `ys`: states `[U_s, U_v]`, in the unit of the capabilities.

    **Returns:**

    $C$ for each state, in the same unit.

    **Raises:**

    `ValueError` for any other coupling.

    **Example:**

    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> conserved_quantity(dynamics, dynamics.initial_state).item()
    0.0

    Derived from the equations of motion in section 3 of Sun et al. (arXiv:2507.00075v4).
    """
    return ys[..., 1] - _rank_one(dynamics).ratio * ys[..., 0]


def _rank_one(dynamics: GapDynamics) -> RankOneCoupling:
    coupling = dynamics.coupling
    if not isinstance(coupling, RankOneCoupling):
        raise ValueError(
            f"dynamics.coupling must be a RankOneCoupling, got {type(coupling).__name__}: "
            "this holds only with a constant ratio"
        )
    return coupling
