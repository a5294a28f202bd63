r"""Rise, then fall: a loop that over-optimises its verifier.

At first the selected responses are better than the sampled ones and the model improves. The longer
it trains on them, the more it learns to please the verifier where the verifier is wrong, and the
less the verifier's choice is worth: capability peaks, and falls back. With learned reward models as
verifiers this is well documented (Gao et al.).

The simplest mechanism for it keeps the paper's law and lets its target erode. The gap closes
towards a target, and the target itself drifts, at its own rate, from where a reliable verifier
would bring the run to a worse limit.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics, Limits
from jaxgap.dynamics.coupling import AbstractCoupling
from jaxgap.dynamics.smooth_ratios import expm1_ratio
from jaxgap.dynamics.types import RealScalar


class RiseThenFallDynamics(AbstractDynamics):
    r"""The linear law with a target that erodes.

    $$\frac{dG}{dt} = -\kappa (G - T), \qquad \frac{dT}{dt} = -\varepsilon (T - G_\infty), \qquad
      T(t_0) = T_0, \quad G_\infty = T_0 + h (G_0 - T_0),$$
    $$\frac{G(t) - T_0}{G_0 - T_0} = e^{-\kappa t} + h \Big(1 -
      \frac{\kappa e^{-\varepsilon t} - \varepsilon e^{-\kappa t}}{\kappa - \varepsilon}\Big).$$

    Solver and verifier follow the gap along the coupling's path, there and back.

    **Arguments:**

    - `coupling`: $dU_s/dG$, an :class:`AbstractCoupling`.
    - `rate`: $\kappa > 0$, at which the gap follows its target, per time unit.
    - `erosion`: $\varepsilon \ge 0$, at which the target drifts, per time unit.
    - `gap_target`: $T_0$, where the gap would go if nothing eroded, in the capabilities' unit.
    - `loss`: $h \ge 0$, the fraction of the gain that is lost again in the end: 0 is the linear
        law, 1 ends where the run began, and more than 1 ends worse.
    - `solver_initial`, `verifier_initial`: $U_s$ and $U_v$ at `t0`, in nats, or as error rates.
    - `t0`: the time of the initial values, in time units.

    **Example:**

    >>> from jaxgap.dynamics import RankOneCoupling
    >>> run = RiseThenFallDynamics(RankOneCoupling(0.0), 1.0, 0.1, 0.0, 0.5, 1.0, 0.0)
    >>> [round(float(error), 2) for error in run.closed_form(jnp.array([0.0, 4.0, 50.0]))[:, 0]]
    [1.0, 0.15, 0.5]

    Reward over-optimisation: Gao, Schulman and Hilton (2023), arXiv:2210.10760. They model gain and
    loss as functions of the distance from the initial policy; this mechanism, in time, is derived
    here.
    """

    coupling: AbstractCoupling
    rate: RealScalar
    erosion: RealScalar
    gap_target: RealScalar
    loss: RealScalar
    solver_initial: RealScalar
    verifier_initial: RealScalar
    t0: RealScalar = 0.0

    @property
    def gap_limit(self) -> Float[Array, ""]:
        """Where the gap goes once the target has eroded."""
        return jnp.asarray(self.gap_target + self.loss * (self.gap_initial - self.gap_target))

    def vector_field(
        self, t: RealScalar, y: Float[Array, "2"], args: PyTree = None
    ) -> Float[Array, "2"]:
        """`[dU_s/dt, dU_v/dt]` at time `t` and `y = [U_s, U_v]`."""
        del args
        gap = y[0] - y[1]
        kept = jnp.exp(-self.erosion * (t - self.t0))
        target = self.gap_limit + (self.gap_target - self.gap_limit) * kept
        gap_rate = -self.rate * (gap - target)
        return self.coupling.rates_at(gap, gap_rate)

    def closed_form(self, ts: Float[Array, "*times"]) -> Float[Array, "*times 2"]:
        """`[U_s, U_v]` at each of `ts >= t0`; at infinity the limits."""
        elapsed = jnp.asarray(ts) - self.t0
        # Infinity times a rate of zero, or a decay to zero, is indeterminate.
        ended = jnp.isinf(elapsed)
        gained, lost = gain_and_loss(self.rate, self.erosion, jnp.where(ended, 0.0, elapsed))
        way = self.gap_initial - self.gap_target
        gap = self.gap_initial - way * (gained - self.loss * lost)
        return self._state_at(jnp.where(ended, self.limits().gap, gap))

    def limits(self) -> Limits:
        """The limits of the solver, the verifier and the gap; without erosion, at the target."""
        eroded = jnp.asarray(self.erosion) > 0
        gap = jnp.where(eroded, self.gap_limit, self.gap_target)
        solver, verifier = self._state_at(gap)
        return Limits(solver, verifier, gap)

    def _state_at(self, gap: Float[Array, "..."]) -> Float[Array, "... 2"]:
        return self.coupling.state_at(gap, self.solver_initial, self.verifier_initial)


def gain_and_loss(
    rate: RealScalar, erosion: RealScalar, elapsed: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    r"""The gain after `elapsed`, and the loss at $h = 1$: both go from 0 to 1.

    $$1 - e^{-\kappa t}, \qquad
      1 - \frac{\kappa e^{-\varepsilon t} - \varepsilon e^{-\kappa t}}{\kappa - \varepsilon}.$$

    The second is written so that equal rates need no special case.
    """
    gained = -jnp.expm1(-rate * elapsed)
    # The difference quotient of exp(-k t) over the two rates, symmetric in them. jnp.minimum would
    # split its gradient between equal rates, and second derivatives would be wrong.
    ordered = jnp.asarray(rate <= erosion)
    slower, faster = jnp.where(ordered, rate, erosion), jnp.where(ordered, erosion, rate)
    delayed = elapsed * jnp.exp(-slower * elapsed) * expm1_ratio(-(faster - slower) * elapsed)
    return gained, gained - rate * delayed
