r"""The likelihood of one number of one run: its profile, whole, and not only an interval of it.

An interval at a level is where the signed root $\zeta$ of the profile meets one quantile. Asking for
it at many quantiles gives $\zeta(c)$ itself, and with it the likelihood that pooling needs,

$$L(c) \propto e^{-\zeta(c)^2 / 2} \qquad \text{or} \qquad
  L(c) \propto \Big(1 + \frac{\zeta(c)^2}{\nu}\Big)^{-(\nu + 1) / 2}$$

where the noise is known, and where its scale is estimated with $\nu$ degrees of freedom (what is
left when the scale is integrated out). Where the data set no bound, $\zeta$ stops rising and $L$ is
flat from there on: such a run still says what its number is not.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.core import Problem
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.profile import Minimised, profile_end
from jaxgap.fitting.result import FitResult

# Where the signed root is sampled; beyond the last it goes on as a straight line.
QUANTILES = np.arange(0.5, 4.01, 0.5)


@dataclasses.dataclass(frozen=True)
class Profile:
    r"""The profile of one number: where $\zeta$ takes each of some values.

    - `values`: increasing, the fit's own value among them at $\zeta = 0$.
    - `zetas`: the signed root at each, increasing.
    - `open_below`, `open_above`: whether the profile is flat beyond the first, the last value.
    - `dof`: of the estimated noise; infinite where the noise is known.
    """

    values: Float[np.ndarray, " points"]
    zetas: Float[np.ndarray, " points"]
    open_below: bool
    open_above: bool
    dof: float

    @property
    def bounded(self) -> bool:
        """Whether the data bound the number on both sides."""
        return not (self.open_below or self.open_above)

    def log_likelihood(self, zetas: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The logarithm of the likelihood at values of the signed root, up to a constant."""
        if np.isinf(self.dof):
            return -0.5 * zetas**2
        return -0.5 * (self.dof + 1) * np.log1p(zetas**2 / self.dof)
