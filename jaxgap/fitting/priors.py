r"""Priors: what is known of a parameter besides the curves, as one more residual.

A Gaussian prior on a parameter, or on its logarithm, adds one square to $-2 \log L$. The fit is
then the maximum a posteriori, and its intervals come from the profile of likelihood times prior.

Where the scale of the noise is estimated from $N$ measurements with $\nu$ degrees of freedom, the
minimised sum is

$$\frac{\nu}{N} (-2 \log L) + \sum_j \Big(\frac{\theta_j - m_j}{s_j}\Big)^2.$$

The factor is the small-sample correction of the likelihood, as in restricted maximum likelihood. A
prior is taken at its word and needs none.
"""

import abc
import math
from numbers import Real

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.types import RealScalar, as_data
from jaxgap.errors import InputError
from jaxgap.fitting.own_terms import own_terms


class AbstractPrior(eqx.Module):
    """A prior on one parameter."""

    @abc.abstractmethod
    def residual(self, value: Float[Array, ""]) -> Float[Array, ""]:
        """How many standard deviations a value is from the prior's centre."""


class Normal(AbstractPrior):
    """A parameter is `mean`, give or take `sd`.

    **Arguments:**

    - `mean`, `sd`: in the parameter's unit, as reported; `sd` above zero.

    **Raises:**

    `InputError` (a `ValueError`) if `mean` is not finite or `sd` not above zero and finite.

    **Example:**

    >>> Normal(0.5, 0.25).residual(0.75).item()
    1.0
    """

    mean: RealScalar = eqx.field(converter=as_data)
    sd: RealScalar = eqx.field(converter=as_data)

    def __check_init__(self):
        _check_sd(self.sd)
        if isinstance(self.mean, Real) and not math.isfinite(self.mean):
            raise InputError(f"the mean of a prior must be finite, got {self.mean}")

    def residual(self, value: Float[Array, ""]) -> Float[Array, ""]:
        return (jnp.asarray(value) - self.mean) / self.sd


class LogNormal(AbstractPrior):
    """A positive parameter is `median`, give or take a factor of `exp(sd)`.

    **Arguments:**

    - `median`: above zero, in the parameter's unit, as reported.
    - `sd`: of the natural logarithm, above zero.

    **Raises:**

    `InputError` (a `ValueError`) if either is not above zero and finite.

    **Example:**

    >>> round(LogNormal(0.4, 0.5).residual(0.4 * 2.718282).item(), 3)
    2.0
    """

    median: RealScalar = eqx.field(converter=as_data)
    sd: RealScalar = eqx.field(converter=as_data)

    def __check_init__(self):
        _check_sd(self.sd)
        if isinstance(self.median, Real) and not 0 < self.median < math.inf:
            raise InputError(
                f"the median of a prior must be above zero and finite, got {self.median}"
            )

    def residual(self, value: Float[Array, ""]) -> Float[Array, ""]:
        tiny = jnp.finfo(jnp.asarray(value).dtype).tiny
        return jnp.log(jnp.maximum(value, tiny) / self.median) / self.sd


class IndexedPrior(eqx.Module):
    """A prior on the parameter at `index`, whose reported value may be one minus it."""

    prior: AbstractPrior
    index: int = eqx.field(static=True)
    mirrored: bool = eqx.field(static=True)

    def residual(self, values: Float[Array, " parameters"]) -> Float[Array, ""]:
        """The prior's residual, from all parameters in the equations' terms."""
        value = values[self.index]
        return self.prior.residual(own_terms(value, self.mirrored))


def _check_sd(sd: RealScalar) -> None:
    if isinstance(sd, Real) and not 0 < sd < math.inf:
        raise InputError(
            f"the standard deviation of a prior must be above zero and finite, got {sd}"
        )
