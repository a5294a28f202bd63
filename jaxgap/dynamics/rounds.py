r"""Discrete rounds: a loop moves in steps, and the differential equation is their limit.

In one round a loop measures the gap and trains on it, with the selection fixed during that
training. So a round is one step of Euler's method on the law of motion,

$$U^{(n+1)} = U^{(n)} + h\,\dot U\big(t_n, U^{(n)}\big), \qquad h \text{ the duration of a round.}$$

**Rounds and time.** Under a linear law a round of rate $\rho$ multiplies each excess by
$1 - h\rho$, and continuous time by $e^{-\kappa h}$. They agree at the end of every round if
$\rho = (1 - e^{-\kappa h}) / h$: see :func:`discrete_rate`. A continuous law fitted to the curve of
a loop finds the $\kappa$ of this relation and describes the rounds exactly, whatever their length.
For any other potential the two agree to first order in $h$.

**Stability.** A round multiplies small deviations of the gap by $m = 1 - h F'(G)$. The limit is
stable if $|m| < 1$ there, that is if $0 < h F'(G_\infty) < 2$: the approach is from one side while
$h F' \le 1$ along the whole way and a damped oscillation between 1 and 2; beyond 2 the loop
overshoots further every round. A continuous law has none of this: it cannot show the harm of rounds
that train too long on one selection. See :func:`round_multiplier`.
"""

import operator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.dynamics.types import RealScalar, as_floats


def discrete_rate(rate: RealScalar, duration: RealScalar = 1.0) -> Float[Array, ""]:
    r"""The rate in rounds that agrees with a continuous linear law at the end of each round.

    $$\rho = \frac{1 - e^{-\kappa h}}{h}.$$

    It applies to the rate of a :class:`LinearPotential` and to both rates of a
    :class:`GeneralLinearDynamics`.

    **Arguments:**

    - `rate`: $\kappa \ge 0$, per time unit.
    - `duration`: $h > 0$ of a round, in time units.

    **Returns:**

    $\rho$, per time unit; the inverse is $\kappa = -\ln(1 - \rho h) / h$.

    **Example:**

    >>> round(float(discrete_rate(0.5)), 4)
    0.3935
    """
    return -jnp.expm1(-jnp.asarray(rate) * duration) / duration


def simulate_rounds(
    dynamics: AbstractDynamics, num_rounds: int, duration: RealScalar = 1.0
) -> Float[Array, "rounds 2"]:
    r"""The states of a loop that follows a law of motion in rounds.

    $$U^{(n+1)} = U^{(n)} + h\,\dot U\big(t_0 + n h, U^{(n)}\big).$$

    **Arguments:**

    - `dynamics`: any law, with its initial values at `dynamics.t0`.
    - `num_rounds`: how many rounds, >= 0.
    - `duration`: $h > 0$ of a round, in time units.

    **Returns:**

    `[U_s, U_v]` before the first round and after each, shape `(num_rounds + 1, 2)`. If rounds are
    too long for the law, the states oscillate or diverge, as the loop would.

    **Raises:**

    `ValueError` if `num_rounds` is negative, and `TypeError` if it is not an integer.

    **Example:**

    >>> from jaxgap.dynamics import LinearPotential, RankOneCoupling
    >>> law = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> simulate_rounds(law, 3)[:, 0].tolist()
    [4.0, 2.0, 1.0, 0.5]
    """
    if operator.index(num_rounds) < 0:
        raise ValueError(f"num_rounds must be at least 0, got {num_rounds}")
    dynamics, duration = as_floats((dynamics, duration))
    starts = dynamics.t0 + duration * jnp.arange(num_rounds, dtype=float)
    return _simulate_rounds(dynamics, starts, duration)


@eqx.filter_jit
def _simulate_rounds(
    dynamics: AbstractDynamics, starts: Float[Array, " n"], duration: RealScalar
) -> Float[Array, "rounds 2"]:
    """Jitted, as a scan outside of jit is compiled anew at every call."""

    def one_round(y, t):
        after = y + duration * dynamics.vector_field(t, y)
        return after, after

    first = dynamics.initial_state
    _, states = jax.lax.scan(one_round, first, starts)
    return jnp.concatenate([first[None], states])


def round_multiplier(
    dynamics: GapDynamics, gap: RealScalar, duration: RealScalar = 1.0
) -> Float[Array, ""]:
    r"""The factor by which one round multiplies a small deviation of the gap.

    $$m = 1 - h F'(G).$$

    **Arguments:**

    - `dynamics`: a law driven by the gap.
    - `gap`: where to evaluate it; at the gap's limit $m$ decides whether the limit is stable
        ($|m| < 1$) and whether the rounds oscillate about it ($m < 0$).
    - `duration`: $h > 0$ of a round, in time units.

    **Returns:**

    $m$, dimensionless. For a power law with an exponent above one it is 1 at the limit, which still
    attracts, ever more slowly.

    **Raises:**

    `ValueError` for a law that is not a :class:`GapDynamics`.

    **Example:**

    >>> from jaxgap.dynamics import LinearPotential, RankOneCoupling
    >>> law = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> [float(round_multiplier(law, 0.0, duration)) for duration in (1.0, 3.0, 5.0)]
    [0.5, -0.5, -1.5]
    """

    if not isinstance(dynamics, GapDynamics):
        raise ValueError(f"dynamics must be a GapDynamics, got {type(dynamics).__name__}")

    def speed(gap):
        return dynamics.potential.closing_speed(gap, dynamics.gap_initial)

    return 1 - duration * jax.grad(speed)(jnp.asarray(gap, float))
