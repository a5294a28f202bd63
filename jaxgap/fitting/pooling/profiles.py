r"""The likelihood of one number of one run: its whole profile, not just an interval.

An interval at a given level is where the signed root $\zeta$ of the profile reaches one quantile.
Doing this for many quantiles gives $\zeta(c)$ itself, and with it the likelihood that pooling
needs,

$$L(c) \propto e^{-\zeta(c)^2 / 2} \qquad \text{or} \qquad
  L(c) \propto \Big(1 + \frac{\zeta(c)^2}{\nu}\Big)^{-(\nu + 1) / 2}$$

for known noise, and for a scale estimated with $\nu$ degrees of freedom (the likelihood with the
scale integrated out). Where the scale is a coordinate of the fit, the root of its profile is
$\sqrt{\nu \log(1 + \zeta^2 / \nu)}$, from which $\zeta$ follows. Where the data set no bound,
$\zeta$ stops rising and $L$ is flat from there on: such a run still tells what its number is not.
"""

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.intervals.delta_method import standard_errors
from jaxgap.fitting.intervals.profile import both_ends, profile_ends
from jaxgap.fitting.intervals.search_start import minimised
from jaxgap.fitting.laws.law import horizon, typical_size
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.results.result import FitResult

# Where the signed root is sampled; beyond the last it is extrapolated linearly.
QUANTILES = np.arange(0.5, 4.01, 0.5)
_BOUNDED = 2.0


@dataclasses.dataclass(frozen=True)
class Profile:
    r"""The profile of one number, as points $(c, \zeta(c))$.

    - `values`: increasing, including the fit's own value at $\zeta = 0$.
    - `zetas`: the signed root at each, increasing.
    - `open_below`, `open_above`: whether the profile is flat below the first value, and above the
        last.
    - `dof`: of the estimated noise; infinite where the noise is known.
    """

    values: Float[np.ndarray, " points"]
    zetas: Float[np.ndarray, " points"]
    open_below: bool
    open_above: bool
    dof: float

    @property
    def bounded(self) -> bool:
        """Whether the data bound the number on both sides, at about 95 %."""
        return bool(self.zetas[0] <= -_BOUNDED and self.zetas[-1] >= _BOUNDED)

    def log_likelihood(self, zetas: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The log-likelihood at values of the signed root, up to a constant."""
        if np.isinf(self.dof):
            return -0.5 * zetas**2
        return -0.5 * (self.dof + 1) * np.log1p(zetas**2 / self.dof)

    def mapped(self, fn: Callable[[np.ndarray], np.ndarray]) -> "Profile":
        """The same profile in another coordinate, an increasing function of the number."""
        return dataclasses.replace(self, values=fn(self.values))


def profiles_of(result: FitResult, names: Sequence[str]) -> dict[str, Profile]:
    """The profiles of some of a fit's parameters and limits.

    **Arguments:**

    - `result`: a fit by a law with a closed form.
    - `names`: of parameters, or `solver`, `verifier`, `gap` for their limits.

    **Returns:**

    By name, in the trajectory's own terms, the profiles of those that the run can show, if its
    noise is known or can be estimated.

    **Example:**

    >>> from jaxgap.fitting import LinearLaw, fit
    >>> from jaxgap.trajectory import Trajectory
    >>> ts = np.arange(12.0)
    >>> noise = np.random.default_rng(0).normal(0, 0.01, 12)
    >>> result = fit(LinearLaw(), Trajectory(ts, 1 + np.exp(-0.4 * ts) + noise))
    >>> profiles_of(result, ["solver"])["solver"].bounded
    True
    """
    source = result.source
    reported = [parameter.name for parameter in source.problem.reported]
    shown = {**result.parameters, **result.limits}
    chosen = [name for name in names if name in shown and shown[name].interval is not None]
    if not chosen:
        return {}
    # A parameter and a limit may share a name; the last match is the limit.
    indices = [len(reported) - 1 - reported[::-1].index(name) for name in chosen]
    with double_precision():
        found = _ends(source.problem, source.curves, source.raw, jnp.asarray(indices))
        centres, ends, bounds = (np.asarray(each) for each in found)
    dof = source.problem.dof(source.curves)
    zetas = QUANTILES
    if source.problem.noise.num_scales(source.curves):
        zetas = np.sqrt(dof * np.expm1(QUANTILES**2 / dof))
    profiles = {}
    for row, name in enumerate(chosen):
        profile = _profile(centres[row], ends[row], bounds[row], zetas, dof)
        is_error = result.kind == "accuracy" and name in ("solver", "verifier")
        profiles[name] = _as_accuracy(profile) if is_error else profile
    return profiles


@eqx.filter_jit
def _ends(problem: FitProblem, curves: Curves, raw: RawFit, indices: Int[Array, " numbers"]):
    """Centres (numbers,), ends (numbers, 2, quantiles) and their bounds (numbers, 2)."""
    natural = jnp.array([[p.lower, p.upper] for p in problem.reported])
    typical = jnp.stack([jnp.asarray(typical_size(p, curves)) for p in problem.reported])
    far = jnp.stack([horizon(p, curves) for p in problem.reported])
    bounds = jnp.clip(natural, far[:, :1], far[:, 1:])[indices]
    fit = minimised(curves, raw)
    estimates = problem.numbers(fit.coordinates, curves)[indices]
    slopes = jax.jacfwd(lambda z: problem.numbers(z, curves)[indices])(fit.coordinates)
    centres = jnp.clip(estimates, bounds[:, 0], bounds[:, 1])
    # The uncertainty of a positive number, such as a rate, is relative to its size.
    typical = jnp.maximum(typical[indices], jnp.abs(centres) * (natural[indices, 0] == 0))

    wanted = both_ends(
        indices[:, None],
        estimates[:, None],
        bounds[:, None],
        standard_errors(problem, fit, slopes)[:, None],
        typical[:, None],
        jnp.asarray(QUANTILES),
    )
    ends = profile_ends(
        lambda z, curves, index: problem.numbers(z, curves)[index],
        problem.residuals,
        problem.minimiser,
        fit.as_batch(),
        wanted,
    )
    by_number = ends.reshape(len(indices), len(QUANTILES), 2)
    return centres, by_number.swapaxes(1, 2), bounds


def _profile(
    centre: float,
    ends: Float[np.ndarray, "2 quantiles"],
    bounds: Float[np.ndarray, "2"],
    zetas: Float[np.ndarray, " quantiles"],
    dof: float,
) -> Profile:
    """The points on both sides that were reached before the bound, in order."""
    sides, is_open = [], []
    for side, sign in enumerate((-1.0, 1.0)):
        reached = np.isfinite(ends[side]) & (sign * (bounds[side] - ends[side]) > 0)
        num = int(np.argmin(reached)) if not reached.all() else len(reached)
        distances = np.maximum.accumulate(sign * (ends[side][:num] - centre))
        # Two quantiles reached at one value would make the root jump there: keep the inner one.
        kept = np.diff(distances, prepend=0.0) > 0
        sides.append((centre + sign * distances[kept], sign * zetas[:num][kept]))
        is_open.append(num < len(zetas))
    (below, zetas_below), (above, zetas_above) = sides
    values = np.concatenate([below[::-1], [centre], above])
    signed = np.concatenate([zetas_below[::-1], [0.0], zetas_above])
    return Profile(values, signed, is_open[0], is_open[1], dof)


def _as_accuracy(profile: Profile) -> Profile:
    """The profile of the accuracy, from that of the error rate."""
    return Profile(
        1.0 - profile.values[::-1],
        -profile.zetas[::-1],
        profile.open_above,
        profile.open_below,
        profile.dof,
    )
