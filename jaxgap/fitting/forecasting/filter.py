r"""Exact Bayesian inference for everything linear in a forecast: a Kalman filter over one curve.

Given a shape's parameters, the curve of :mod:`jaxgap.fitting.forecasting.shapes` is linear in its
start and amplitudes $c$, and its residual $w$ is an Ornstein-Uhlenbeck process,

$$dw = -\frac{w}{\ell}\,du + s\,dB, \qquad w(0) = 0,$$

which is a random walk up to times about $\ell$ and a bounded disturbance after. So the state
$x = [c_0, c_1, c_2, w]$ is Gaussian throughout, and one pass over the $T$ measurements gives its
posterior and the evidence $p(\text{data} \mid \text{shape})$. The evidence is a product of
one-step-ahead predictive densities: weighting shapes by it is weighting them by how well each
forecast every measurement from those before it (Dawid 1984, prequential analysis). Time and memory
grow linearly with the length of the curve.

Reference: Särkkä and Solin, *Applied Stochastic Differential Equations* (2019), chapters 6 and 10.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgap.dynamics.types import RealScalar


class Wander(NamedTuple):
    """The residual process: its diffusion `s` per square root of a window, memory in windows."""

    diffusion: RealScalar
    memory: RealScalar

    def transition(self, elapsed: RealScalar) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The factor by which the residual decays over `elapsed`, and the variance added."""
        factor = jnp.exp(-elapsed / self.memory)
        return factor, self.diffusion**2 * self.memory / 2 * (1 - factor**2)


class Conditioned(NamedTuple):
    """The Gaussian posterior of `[c_0, c_1, c_2, w]` after the last measurement."""

    mean: Float[Array, " 4"]
    covariance: Float[Array, "4 4"]
    log_evidence: Float[Array, ""]


def condition(
    values: Float[Array, " times"],
    variances: Float[Array, " times"],
    measured: Bool[Array, " times"],
    terms: Float[Array, "times 2"],
    elapsed: Float[Array, " times"],
    prior_mean: Float[Array, " 3"],
    prior_stderr: Float[Array, " 3"],
    wander: Wander,
) -> Conditioned:
    """Condition start, amplitudes and residual on the measured values, one after the other.

    **Arguments:**

    - `values`, `variances`: the measurements and their noise variances.
    - `measured`: false for padding, which has no effect.
    - `terms`: the shape's terms at each time.
    - `elapsed`: time since the previous row, in windows; 0 in the first row.
    - `prior_mean`, `prior_stderr`: of the start and the two amplitudes, independent of each other.
    - `wander`: the residual process.
    """

    def step(carry: Conditioned, row):
        value, variance, seen, term, gap = row
        factor, added = wander.transition(gap)
        decay = jnp.array([1.0, 1.0, 1.0, factor])
        mean = decay * carry.mean
        covariance = carry.covariance * decay[:, None] * decay
        covariance = covariance.at[3, 3].add(added)
        weights = jnp.stack([jnp.ones_like(factor), term[0], term[1], jnp.ones_like(factor)])
        cross = covariance @ weights
        spread = weights @ cross + variance
        surprise = value - weights @ mean
        log_density = -0.5 * (surprise**2 / spread + jnp.log(2 * jnp.pi * spread))
        after = Conditioned(
            mean + cross * surprise / spread,
            covariance - cross[:, None] * cross / spread,
            carry.log_evidence + log_density,
        )
        return jax.tree.map(lambda new, old: jnp.where(seen, new, old), after, carry), None

    start = Conditioned(
        jnp.append(prior_mean, 0.0),
        jnp.diag(jnp.append(prior_stderr, 0.0) ** 2),
        jnp.zeros(()),
    )
    rows = (values, variances, measured, terms, elapsed)
    return jax.lax.scan(step, start, rows)[0]
