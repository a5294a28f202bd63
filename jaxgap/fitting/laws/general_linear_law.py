r"""The general linear law: two decays shared by both curves, with separate amplitudes.

As a sum of decays $\sum_i a_i e^{-k_i t}$ it is hard to fit: as the rates approach each other, both
amplitudes diverge with opposite signs. So the search uses another basis of the same curves,

$$U(t) = U(t_0) + c\,\psi(t) + d\,\chi(t), \qquad \psi \propto \psi_{k_2}, \quad
  \chi \propto \frac{\psi_{k_2} - \psi_{k_1}}{k_1 - k_2}, \quad
  \psi_k(t) = \frac{1 - e^{-kt}}{k},$$

both scaled to end at one, so that $c$ and $d$ are changes over the run. They enter linearly, so
every start is a regression. With $d = 0$ a single decay remains.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.general_linear_dynamics import GeneralLinearDynamics
from jaxgap.dynamics.smooth_ratios import expm1_ratio
from jaxgap.dynamics.types import RealScalar
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, Fixed, Real
from jaxgap.fitting.laws.law import AbstractLaw, Parameter
from jaxgap.fitting.laws.quasi_random import quasi_random
from jaxgap.fitting.laws.rank_one_law import SOLVER_INITIAL, VERIFIER_INITIAL, rate_bijector
from jaxgap.fitting.laws.regression import regress

# The slow rate as a fraction of the fast one: closer to 1 the two are indistinguishable.
_MAX_FRACTION = 0.95


class GeneralLinearLaw(AbstractLaw):
    r"""Two decays in each curve, with the same two rates: eight parameters.

    $$U(t) = U(t_0) - a_1 \big(1 - e^{-k_1 (t - t_0)}\big) - a_2 \big(1 - e^{-k_2 (t - t_0)}\big),
      \qquad k_1 > k_2 > 0.$$

    Its parameters are `fast_rate`, `slow_rate`, the amplitudes `fast_solver`, `fast_verifier`,
    `slow_solver` and `slow_verifier`, and `solver_initial` and `verifier_initial`. The first rate
    is the faster one, so that a run has one set of parameters, not two. If it shows only one decay,
    the other's rate is undetermined, as its interval shows.

    **Example:**

    >>> [parameter.name for parameter in GeneralLinearLaw().parameters][:3]
    ['fast_rate', 'slow_rate', 'fast_solver']

    See :class:`jaxgap.dynamics.GeneralLinearDynamics`.
    """

    name: ClassVar[str] = "general_linear"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("fast_rate", "1/time", lower=0.0),
        Parameter("slow_rate", "1/time", lower=0.0),
        Parameter("fast_solver", "change"),
        Parameter("fast_verifier", "change", needs_verifier=True),
        Parameter("slow_solver", "change"),
        Parameter("slow_verifier", "change", needs_verifier=True),
        SOLVER_INITIAL,
        VERIFIER_INITIAL,
    )

    def bijectors(self, curves: Curves) -> tuple[AbstractBijector, ...]:
        value = curves.value_scale
        change = Real(0.0, value)
        if curves.has_verifier:
            verifier: AbstractBijector = Real(curves.ys[0, 1], value)
            verifier_change: AbstractBijector = change
        else:
            verifier, verifier_change = Fixed(0.0), Fixed(0.0)
        return (
            Real(curves.ys[0, 0], value),
            verifier,
            change,
            verifier_change,
            change,
            verifier_change,
            rate_bijector(curves),
            Between(0.0, _MAX_FRACTION),
        )

    def starts(self, curves: Curves) -> Float[Array, "starts coordinates"]:
        bijectors = self.bijectors(curves)

        def start(shape_coordinates):
            rate, fraction = (
                b.constrain(c) for b, c in zip(bijectors[6:], shape_coordinates, strict=True)
            )
            basis = _Basis.of(rate, fraction * rate, jnp.asarray(curves.duration))
            elapsed = curves.ts - curves.t0
            columns = [jnp.ones_like(elapsed), *basis.functions(elapsed)]
            found = jax.vmap(regress, in_axes=(None, 1, 1), out_axes=1)(
                jnp.stack(columns, axis=1), curves.ys, curves.weights
            )
            linear = [b.unconstrain(v) for b, v in zip(bijectors[:6], found.ravel(), strict=True)]
            return jnp.concatenate([jnp.stack(linear), shape_coordinates])

        box = [(np.log(1.0), np.log(60.0)), (-4.0, 2.0)]
        return jax.vmap(start)(jnp.asarray(quasi_random(16, box)))

    def dynamics(self, values: Sequence[Float[Array, ""]], curves: Curves) -> AbstractDynamics:
        *linear, fast_rate, fraction = values
        initial, along_psi, along_chi = jnp.stack(linear).reshape(3, 2)
        slow_rate = fraction * fast_rate
        basis = _Basis.of(fast_rate, slow_rate, jnp.asarray(curves.duration))
        fast, slow = basis.amplitudes(along_psi, along_chi)
        modes = [fast[0], fast[1], slow[0], slow[1]]
        return self.from_parameters([fast_rate, slow_rate, *modes, *initial], curves)

    def parameter_values(self, dynamics: AbstractDynamics) -> Float[Array, " parameters"]:
        assert isinstance(dynamics, GeneralLinearDynamics)
        rates = jnp.stack([jnp.asarray(dynamics.fast_rate), jnp.asarray(dynamics.slow_rate)])
        modes = jnp.asarray(dynamics.fast), jnp.asarray(dynamics.slow)
        return jnp.concatenate([rates, *modes, dynamics.initial_state])

    def from_parameters(
        self, values: Sequence[RealScalar] | Float[Array, " parameters"], curves: Curves
    ) -> AbstractDynamics:
        fast_rate, slow_rate, *modes, solver, verifier = (jnp.asarray(v) for v in values)
        return GeneralLinearDynamics(
            fast_rate=fast_rate,
            slow_rate=slow_rate,
            fast=jnp.stack(modes[:2]),
            slow=jnp.stack(modes[2:]),
            solver_initial=solver,
            verifier_initial=verifier,
            t0=curves.t0,
        )


class _Basis(NamedTuple):
    """The two functions for given rates, with the divisors that make them end at one."""

    fast_rate: Float[Array, ""]
    slow_rate: Float[Array, ""]
    psi_end: Float[Array, ""]
    chi_end: Float[Array, ""]

    @classmethod
    def of(cls, fast_rate, slow_rate, duration: Float[Array, ""]) -> "_Basis":
        """The basis for a run of the given duration."""
        plain = cls(fast_rate, slow_rate, jnp.ones(()), jnp.ones(()))
        return cls(fast_rate, slow_rate, *plain.functions(duration))

    def functions(
        self, elapsed: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """psi and chi after `elapsed`."""
        slow, fast = (
            elapsed * expm1_ratio(-rate * elapsed) for rate in (self.slow_rate, self.fast_rate)
        )
        chi = (slow - fast) / (self.fast_rate - self.slow_rate)
        return slow / self.psi_end, chi / self.chi_end

    def amplitudes(
        self, along_psi: Float[Array, "2"], along_chi: Float[Array, "2"]
    ) -> tuple[Float[Array, "2"], Float[Array, "2"]]:
        """The amplitudes of the fast and of the slow decay."""
        fast_slope = -along_chi / self.chi_end / (self.fast_rate - self.slow_rate)
        slow_slope = along_psi / self.psi_end - fast_slope
        return -fast_slope / self.fast_rate, -slow_slope / self.slow_rate
