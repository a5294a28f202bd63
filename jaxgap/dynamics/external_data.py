r"""External data: responses of a stronger model that replace some of the self-selected ones.

A budget of such responses is spread over rounds. In the theory, the share spent in one round
divides the verifier's uncertainty instantly and leaves the solver's unchanged. So the gap jumps
open, and between jumps the law of motion is unchanged. This module defines only the jumps;
:mod:`jaxgap.dynamics.injected_dynamics` applies them to a law.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar


class ExternalData(eqx.Module):
    r"""Jumps of the verifier at given times.

    $$U_v(t_j^+) = \frac{U_v(t_j^-)}{1 + \gamma \eta_j}, \qquad U_s(t_j^+) = U_s(t_j^-).$$

    A measurement at $t_j$ is the state before the jump.

    **Arguments:**

    - `times`: $t_j$, in time units, shape `(rounds,)`, in order, none before the law's `t0`. Jumps
        at equal times follow one another.
    - `shares`: $\eta_j \ge 0$, the part of the budget spent at each time, shape `(rounds,)`. For
        one whole budget they sum to one. This is not checked, since only $\gamma \eta_j$ enters:
        shares that sum to 1.4 spend 1.4 budgets.
    - `strength`: $\gamma \ge 0$: the whole budget, spent at once, would divide the verifier's
        uncertainty by $1 + \gamma$.

    **Raises:**

    `ValueError` if `times` and `shares` are not one-dimensional or differ in length. Times out of
    order, a negative share or a negative strength is an error when the law is evaluated.

    **Example:**

    >>> external = ExternalData(jnp.array([1.0, 2.0]), jnp.array([0.5, 0.5]), strength=2.0)
    >>> external.fall().tolist()
    [0.5, 0.5]

    Source: Sun et al. (arXiv:2507.00075v4), section 5.
    """

    times: Float[Array | np.ndarray, " rounds"]
    shares: Float[Array | np.ndarray, " rounds"]
    strength: RealScalar

    def __check_init__(self):
        shapes = jnp.shape(self.times), jnp.shape(self.shares)
        if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise ValueError(
                "times and shares must have one dimension and the same length, got shapes "
                f"{shapes[0]} and {shapes[1]}"
            )

    def fall(self) -> Float[Array, " rounds"]:
        r"""$\gamma\eta_j / (1 + \gamma\eta_j)$: the fraction of $U_v(t_j^-)$ each jump removes."""
        dose = self.strength * jnp.asarray(self.shares)
        return dose / (1 + dose)

    def checked(self, t0: RealScalar) -> "ExternalData":
        """The same as arrays; a runtime error if they break the rules above."""
        times, shares = jnp.asarray(self.times, float), jnp.asarray(self.shares, float)
        strength = jnp.asarray(self.strength, float)
        before = jnp.concatenate([jnp.asarray(t0, float)[None], times[:-1]])[: times.size]
        times = eqx.error_if(times, times < before, "times must be in order, none before t0")
        shares = eqx.error_if(shares, shares < 0, "shares must not be negative")
        strength = eqx.error_if(strength, strength < 0, "strength must not be negative")
        return ExternalData(times, shares, strength)
