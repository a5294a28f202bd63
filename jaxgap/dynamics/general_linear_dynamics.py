r"""The general linear law: two capabilities, two rates.

In the paper the gap alone drives both capabilities, so they share one rate. If each may depend on
both, the law is $dU/dt = -A (U - U_\infty)$ with a 2x2 matrix $A$, the run is a sum of two decays,
and the ratio in which the two capabilities move drifts from that of the fast decay to that of the
slow one.

If $A$ has rank one, as in the paper's law, $U_\infty$ is not unique, but the two decays are: each
has a rate and an amplitude, and one whose rate is zero stands still. So these are the parameters,
and $A$ follows from them. Complex eigenvalues, a run that spirals into its limit, are out of
scope: no two real rates describe it.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics, Limits
from jaxgap.dynamics.types import RealScalar


class GeneralLinearDynamics(AbstractDynamics):
    r"""A sum of two decays: the solution of any linear law with real rates.

    $$U(t) = U(t_0) - a_1 \big(1 - e^{-k_1 (t - t_0)}\big) - a_2 \big(1 - e^{-k_2 (t - t_0)}\big),$$
    $$\frac{dU}{dt} = -A (U - U_\infty), \qquad A = M\,\mathrm{diag}(k_1, k_2)\,M^{-1}, \quad
      M = (a_1, a_2), \quad U_\infty = U(t_0) - a_1 - a_2.$$

    The paper's law is $k_1 = \kappa$, $a_1 = \frac{\delta}{1 - r} (1, r)$, $k_2 = 0$ and $a_2$ a
    multiple of $(1, 1)$: the direction that leaves the gap, and so the driving force, unchanged.
    Where the amplitudes are parallel the curves are still those above, but no matrix $A$ produces
    them, and the vector field is NaN.

    **Arguments:**

    - `fast_rate`, `slow_rate`: $k_1$ and $k_2 \ge 0$, per time unit.
    - `fast`, `slow`: the amplitudes $a_1$ and $a_2$, each `[solver, verifier]`, in the unit of the
        capabilities: how far each decay still has to bring them down.
    - `solver_initial`, `verifier_initial`: $U(t_0)$, in that unit.
    - `t0`: the time of the initial values, in time units.

    **Example:**

    >>> law = GeneralLinearDynamics(
    ...     0.8, 0.1, jnp.array([2.0, 0.5]), jnp.array([1.0, 0.7]), 4.0, 2.0
    ... )
    >>> [round(float(limit), 3) for limit in law.limits()]
    [1.0, 0.8, 0.2]
    """

    fast_rate: RealScalar
    slow_rate: RealScalar
    fast: Float[Array, "2"]
    slow: Float[Array, "2"]
    solver_initial: RealScalar
    verifier_initial: RealScalar
    t0: RealScalar = 0.0

    @property
    def matrix(self) -> Float[Array, "2 2"]:
        """$A$, per time unit; NaN where the amplitudes are parallel."""
        modes = jnp.stack([jnp.asarray(self.fast), jnp.asarray(self.slow)], axis=1)
        (a, b), (c, d) = modes
        inverse = jnp.array([[d, -b], [-c, a]]) / (a * d - b * c)
        return modes * jnp.stack([self.fast_rate, self.slow_rate]) @ inverse

    def vector_field(
        self, t: RealScalar, y: Float[Array, "2"], args: PyTree = None
    ) -> Float[Array, "2"]:
        """`-A (y - U_inf)` at `y = [U_s, U_v]`; time enters only through the state."""
        del t, args
        return -self.matrix @ (y - (self.initial_state - self.fast - self.slow))

    def closed_form(self, ts: Float[Array, "*times"]) -> Float[Array, "*times 2"]:
        """`[U_s, U_v]` at each of `ts >= t0`; at infinity the limits."""
        elapsed = (jnp.asarray(ts) - self.t0)[..., None]
        # A rate of zero times infinity is indeterminate.
        ended = jnp.isinf(elapsed)
        elapsed = jnp.where(ended, 0.0, elapsed)
        fast = self.fast * jnp.expm1(-self.fast_rate * elapsed)
        state = self.initial_state + fast + self.slow * jnp.expm1(-self.slow_rate * elapsed)
        return jnp.where(ended, jnp.stack(self.limits()[:2]), state)

    def limits(self) -> Limits:
        """`U_inf`, except that a decay whose rate is zero keeps its amplitude."""
        fast = jnp.where(jnp.asarray(self.fast_rate) > 0, self.fast, 0.0)
        slow = jnp.where(jnp.asarray(self.slow_rate) > 0, self.slow, 0.0)
        solver, verifier = self.initial_state - fast - slow
        return Limits(solver, verifier, solver - verifier)
