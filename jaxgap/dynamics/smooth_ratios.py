"""Two ratios that are 0/0 at zero, with the right value and derivatives there.

They appear in closed forms of decays that turn from one shape into another (a power into an
exponential, two rates into one). Written naively they are NaN exactly where the shapes meet, and
inaccurate nearby. Each is a series near zero and the plain ratio elsewhere. Neither is evaluated
where the other applies: it could overflow there, and then its derivatives are NaN.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxgap.dynamics.types import RealScalar


def log1p_ratio(u: RealScalar | Float[Array, "..."]) -> Float[Array, "..."]:
    """`log(1 + u) / u`, with its limit 1 at `u = 0`, and the right derivatives there."""
    u = jnp.asarray(u)
    small = _is_small(u)
    safe, u = jnp.where(small, 1.0, u), jnp.where(small, u, 0.0)
    series = 1 - u * (1 / 2 - u * (1 / 3 - u * (1 / 4 - u * (1 / 5 - u * (1 / 6 - u / 7)))))
    return jnp.where(small, series, jnp.log1p(safe) / safe)


def expm1_ratio(u: RealScalar | Float[Array, "..."]) -> Float[Array, "..."]:
    """`(exp(u) - 1) / u`, with its limit 1 at `u = 0`, and the right derivatives there."""
    u = jnp.asarray(u)
    small = _is_small(u)
    safe, u = jnp.where(small, 1.0, u), jnp.where(small, u, 0.0)
    series = 1 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24 + u * (1 / 120 + u / 720))))
    return jnp.where(small, series, jnp.expm1(safe) / safe)


def _is_small(u: Float[Array, "..."]) -> Bool[Array, "..."]:
    """Where the series are exact to the dtype. In 32 bits the range is wider: the second derivative
    of the plain ratio loses the digits of `u` squared.
    """
    return jnp.abs(u) < (1e-3 if u.dtype == jnp.float64 else 0.1)
