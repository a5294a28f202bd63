"""The profile intervals of all reported numbers of a batch of fits."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.profile import Minimised, both_ends, profile_ends
from jaxgap.fitting.laws.law import Parameter, horizon, typical_size
from jaxgap.fitting.problem import FitProblem

# For a positive number, an end below this fraction of the typical size counts as zero.
_NEAR_ZERO = 1e-4


def profile_intervals(
    problem: FitProblem,
    fits: Minimised,
    indices: Int[np.ndarray, " k"],
    numbers: Float[Array, "batch k"],
    stderrs: Float[Array, "batch k"],
    quantiles: Float[Array, " batch"],
    num_curves: Int[Array, ""],
) -> Float[Array, "batch k 2"]:
    """Both ends of every number's profile interval, all searched for at once."""
    reported = [problem.reported[index] for index in indices]
    natural = jnp.array([[p.lower, p.upper] for p in reported])
    span = jax.vmap(lambda curves: _span(reported, curves))
    typical, far = span(fits.data)
    bounds = jnp.clip(natural, far[..., :1], far[..., 1:])
    held = np.isin(indices, problem.held)[:, None]
    bounds = jnp.where(held, numbers[..., None], bounds)
    above_zero = natural[:, 0] == 0
    near_zero = _NEAR_ZERO * typical
    typical = jnp.maximum(typical, jnp.abs(numbers) * above_zero)

    ends = both_ends(
        jnp.asarray(indices),
        numbers,
        bounds,
        stderrs,
        typical,
        quantiles[:, None],
        fit=jnp.arange(len(numbers))[:, None],
    )
    found = profile_ends(
        lambda z, curves, index: problem.numbers(z, curves)[index],
        problem.residuals,
        problem.minimiser,
        fits,
        ends,
        num_curves * bounds[0].size,
    ).reshape(bounds.shape)
    # A product of two coordinates approaches its bound at zero, but never reaches it.
    at_zero = above_zero & (found[..., 0] < near_zero)
    found = found.at[..., 0].set(jnp.where(at_zero, bounds[..., 0], found[..., 0]))
    return jnp.where((found == bounds) & ~held, natural, found)


def _span(
    reported: list[Parameter], curves: Curves
) -> tuple[Float[Array, " k"], Float[Array, "k 2"]]:
    """The typical sizes of the numbers of one curve, and their horizons."""
    typical = [jnp.asarray(typical_size(parameter, curves), float) for parameter in reported]
    return jnp.stack(typical), jnp.stack([horizon(parameter, curves) for parameter in reported])
