r"""Partial pooling: what the seeds of one experiment have in common, and how far they differ.

The number $\theta_i$ of run $i$ (on an unbounded scale) is one draw from the experiment's
distribution,

$$\theta_i \sim \mathcal{N}(\mu, \tau^2), \qquad \text{data}_i \sim L_i(\theta_i),$$

with $L_i$ the run's own profile likelihood, which may be skewed or half open. So

$$L(\mu, \tau) = \prod_i \int L_i(\theta)\, \mathcal{N}(\theta; \mu, \tau^2)\, d\theta,$$

where each integral is a sum, over cells in which $L_i$ is constant, of $L_i$ times the normal
probability of the cell: for any $\tau$ above the width of the cells, and for a likelihood that is
flat to infinity. Where $\tau$ is below the width of a bounded $L_i$, which is then smooth on the
scale of the normal distribution, the integral is by Gauss-Hermite quadrature.

With few seeds $\tau$ is hardly known, and plugging in one value of it would make every interval too
narrow. So $\mu$ and $\tau$ are integrated over a grid, under a flat prior for $\mu$ and the
reference prior for $\tau$, $p(\tau) \propto \tau \sqrt{\sum_i (\sigma_i^2 + \tau^2)^{-2}}$
(Bodnar, Link and Elster 2016), with $\sigma_i$ half the width of $L_i$ where its root is one.
Without noise this gives Student's t interval; the tests check its coverage with noise.
The spread $\tau$ itself is estimated by restricted maximum likelihood with a likelihood-ratio
interval, which may reach zero: then the runs may differ by their noise alone.

References: DerSimonian and Laird, *Meta-analysis in clinical trials* (1986); Bodnar, Link and
Elster, *Objective Bayesian inference for a generalized marginal random effects model* (Bayesian
Analysis 11, 2016).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.special import chdtri, logsumexp, ndtr

from jaxgap.fitting.pooling.profiles import Profile

_NUM_SPREADS = 61
_NUM_MEANS = 41
# The likelihood of the spread is interpolated between the grid's spreads to this many.
_NUM_FINE = 6001
# A spread that is more likely than none by less than this is none: the grid is no more accurate.
_NEGLIGIBLE = 1e-3
# Spreads that are less likely than the best by more than this (in logs) do not matter.
_FAR_BELOW = 20.0
# The grid of means reaches this many standard deviations to either side.
_REACH = 7.0
# Cells are narrow where the root is small; at the ends the likelihood is negligible.
_ROOTS = np.sinh(np.linspace(-5.3, 5.3, 121))
# For a normal distribution narrower than the likelihood.
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
# How far beyond a flat end cells are resolved, relative to the range of all profiles.
_BEYOND = np.geomspace(0.01, 1e3, 24)


@dataclasses.dataclass(frozen=True)
class Interval:
    """A median, or another central value, and the interval at the requested level."""

    estimate: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class RandomEffects:
    r"""One number pooled over several runs, on the scale on which they were pooled.

    - `mean`: $\mu$, of the experiment.
    - `spread`: $\tau$, the standard deviation between runs, by restricted maximum likelihood.
    - `next_run`: the number of a future run, without its measurement noise.
    - `runs`: each run's number given all runs, in their order.
    """

    mean: Interval
    spread: Interval
    next_run: Interval
    runs: tuple[Interval, ...]


def pool(profiles: Sequence[Profile], level: float = 0.9) -> RandomEffects:
    """Pool the profiles of one number over the runs of an experiment.

    **Arguments:**

    - `profiles`: one per run, on an unbounded scale; at least two of them bounded by the data on
        both sides.
    - `level`: of the intervals, in (0, 1).

    **Returns:** the mean over runs, their spread, the prediction for a next run, and each run's
    pooled estimate, on the scale of the profiles.

    **Raises:** `ValueError` if fewer than two are bounded.

    **Example:**

    >>> roots = np.linspace(-4.0, 4.0, 17)
    >>> runs = [Profile(m + 0.1 * roots, roots, False, False, np.inf) for m in (1.0, 1.2, 1.4)]
    >>> pooled = pool(runs)
    >>> round(pooled.mean.estimate, 2), pooled.runs[0].estimate > 1.0
    (1.2, True)
    """
    if sum(profile.bounded for profile in profiles) < 2:
        raise ValueError("profiles: at least two must be bounded on both sides")
    landmarks = np.concatenate([profile.values for profile in profiles])
    cells = [_Cells.of(profile, landmarks) for profile in profiles]
    grid = _Grid.around(profiles)
    log_evidence = np.stack(
        [_log_evidence(*each, grid) for each in zip(profiles, cells, strict=True)]
    ).sum(0)
    restricted = logsumexp(log_evidence, axis=1) + np.log(grid.mean_scales)
    weights = np.exp(_log_posterior(grid, log_evidence))
    weights /= weights.sum()
    tails = ((1 - level) / 2, 0.5, (1 + level) / 2)
    return RandomEffects(
        mean=_interval([_mean_quantile(grid, weights, p) for p in tails]),
        spread=_likelihood_interval(grid.spreads, restricted, level),
        next_run=_interval([_predictive_quantile(grid, weights, p) for p in tails]),
        runs=tuple(_interval(each.posterior_quantiles(grid, weights, tails)) for each in cells),
    )


@dataclasses.dataclass(frozen=True)
class _Grid:
    """A grid of spreads, and for each of them a grid of means about the runs' weighted mean."""

    spreads: Float[np.ndarray, " spreads"]
    means: Float[np.ndarray, "spreads means"]
    mean_scales: Float[np.ndarray, " spreads"]
    log_prior: Float[np.ndarray, " spreads"]

    @classmethod
    def around(cls, profiles: Sequence[Profile]) -> "_Grid":
        centres = np.array([profile.values[profile.zetas == 0][0] for profile in profiles])
        widths = np.array([_width(profile) for profile in profiles])
        known = np.isfinite(widths)
        between, within = float(centres[known].std()), float(widths[known].min())
        lowest = 0.03 * max(within, 1e-3 * between)
        spreads = np.geomspace(lowest, 300 * max(within, between), _NUM_SPREADS)
        variances = widths[None] ** 2 + spreads[:, None] ** 2
        precision = (1 / variances).sum(1)
        middle = np.where(known, centres / variances, 0.0).sum(1) / precision
        scales = precision**-0.5
        means = middle[:, None] + scales[:, None] * np.linspace(-_REACH, _REACH, _NUM_MEANS)
        # With the Jacobian of the spreads' logarithmic spacing.
        log_prior = 2 * np.log(spreads) + 0.5 * np.log((variances**-2).sum(1))
        return cls(spreads, means, scales, log_prior)


@dataclasses.dataclass(frozen=True)
class _Cells:
    """A likelihood that is piecewise constant in cells, the outermost ones unbounded."""

    edges: Float[np.ndarray, " edges"]
    likelihoods: Float[np.ndarray, " cells"]

    @classmethod
    def of(cls, profile: Profile, landmarks: Float[np.ndarray, " values"]) -> "_Cells":
        """The cells of one profile, fine beyond its flat ends where other runs have landmarks."""
        roots = _ROOTS
        if profile.open_below:
            roots = np.append(profile.zetas[0], roots[roots > profile.zetas[0]])
        if profile.open_above:
            roots = np.append(roots[roots < profile.zetas[-1]], profile.zetas[-1])
        edges = _values_at(profile, roots)
        beyond = np.ptp(landmarks) * _BEYOND
        below, above = edges[:0], edges[:0]
        if profile.open_below:
            below = np.append(edges[0] - beyond, landmarks[landmarks < edges[0]])
        if profile.open_above:
            above = np.append(edges[-1] + beyond, landmarks[landmarks > edges[-1]])
        below, above = np.unique(below), np.unique(above)
        inner = (roots[1:] + roots[:-1]) / 2
        cell_roots = np.concatenate(
            [np.full(len(below) + 1, roots[0]), inner, np.full(len(above) + 1, roots[-1])]
        )
        return cls(
            np.concatenate([below, edges, above]), np.exp(profile.log_likelihood(cell_roots))
        )

    def log_evidence(self, grid: _Grid, row: int) -> Float[np.ndarray, " means"]:
        """The log of the integral of the likelihood over the normal distribution, at one spread."""
        with np.errstate(divide="ignore"):
            return np.log(self._masses(grid, row).sum(-1))

    def posterior_quantiles(
        self,
        grid: _Grid,
        weights: Float[np.ndarray, "spreads means"],
        probabilities: Sequence[float],
    ) -> list[float]:
        """Quantiles of this run's number, given all runs."""
        density = np.zeros(len(self.likelihoods))
        for row, row_weights in enumerate(weights):
            masses = self._masses(grid, row)
            totals = masses.sum(-1)
            density += np.where(totals > 0, row_weights / np.maximum(totals, 1e-300), 0.0) @ masses
        cumulated = np.cumsum(density)[:-1] / density.sum()
        return [float(np.interp(p, cumulated, self.edges)) for p in probabilities]

    def _masses(self, grid: _Grid, row: int) -> Float[np.ndarray, "means cells"]:
        """Likelihood times normal probability of each cell, for each mean at one spread."""
        distances = (self.edges - grid.means[row][:, None]) / grid.spreads[row]
        return _between(distances) * self.likelihoods


def _log_evidence(
    profile: Profile, cells: _Cells, grid: _Grid
) -> Float[np.ndarray, "spreads means"]:
    """The log of the integral of one run's likelihood over the normal distributions of a grid."""
    smooth = grid.spreads < (_width(profile) if profile.bounded else 0.0)
    found = np.empty(grid.means.shape)
    if smooth.any():
        values = grid.means[smooth, :, None] + grid.spreads[smooth, None, None] * _NODES
        log_likelihood = profile.log_likelihood(_roots_at(profile, values))
        found[smooth] = logsumexp(log_likelihood, axis=-1, b=_NODE_WEIGHTS / _NODE_WEIGHTS.sum())
    for row in np.flatnonzero(~smooth):
        found[row] = cells.log_evidence(grid, int(row))
    return found


def _between(distances: Float[np.ndarray, "means edges"]) -> Float[np.ndarray, "means cells"]:
    """The normal probabilities between increasing distances, without cancellation in a tail."""
    tails = np.pad(ndtr(-np.abs(distances)), ((0, 0), (1, 1)))
    above = np.pad(distances > 0, ((0, 0), (1, 1)), mode="edge")
    above[:, 0], above[:, -1] = False, True
    low, high = tails[:, :-1], tails[:, 1:]
    same_side = np.abs(low - high)
    return np.where(above[:, 1:] == above[:, :-1], same_side, 1.0 - low - high)


def _values_at(profile: Profile, roots: Float[np.ndarray, " roots"]) -> Float[np.ndarray, " roots"]:
    """The values at which the signed root is `roots`, extrapolated linearly at both ends."""
    if len(profile.values) == 1:
        return np.full(len(roots), profile.values[0])
    curve = PchipInterpolator(profile.zetas, profile.values)
    inside = curve(np.clip(roots, profile.zetas[0], profile.zetas[-1]))
    slopes = np.diff(profile.values) / np.diff(profile.zetas)
    below = np.minimum(roots - profile.zetas[0], 0.0) * slopes[0]
    above = np.maximum(roots - profile.zetas[-1], 0.0) * slopes[-1]
    return inside + below + above


def _roots_at(profile: Profile, values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """The signed roots at `values`, of a bounded profile: the inverse of :func:`_values_at`."""
    roots = np.linspace(profile.zetas[0], profile.zetas[-1], _NUM_FINE)
    inside = np.interp(values, _values_at(profile, roots), roots)
    slopes = np.diff(profile.zetas) / np.diff(profile.values)
    below = np.minimum(values - profile.values[0], 0.0) * slopes[0]
    above = np.maximum(values - profile.values[-1], 0.0) * slopes[-1]
    return inside + below + above


def _width(profile: Profile) -> float:
    """Half the width of the likelihood where its root is one; infinite where that is open."""
    if profile.zetas[0] > -1 or profile.zetas[-1] < 1:
        return np.inf
    low, high = np.interp([-1.0, 1.0], profile.zetas, profile.values)
    return float(high - low) / 2


def _log_posterior(
    grid: _Grid, log_evidence: Float[np.ndarray, "spreads means"]
) -> Float[np.ndarray, "spreads means"]:
    """The log posterior mass of each grid point, including its area, up to a constant."""
    log_weights = log_evidence + (grid.log_prior + np.log(grid.mean_scales))[:, None]
    return log_weights - log_weights.max()


def _interval(quantiles: Sequence[float]) -> Interval:
    low, median, high = quantiles
    return Interval(median, low, high)


def _mean_quantile(
    grid: _Grid, weights: Float[np.ndarray, "spreads means"], probability: float
) -> float:
    """A quantile of the mean, with the mass of each grid point spread evenly over its cell."""
    spacing = (2 * _REACH / (_NUM_MEANS - 1) * grid.mean_scales)[:, None]

    def cumulated(x: float) -> float:
        return float((weights * np.clip((x - grid.means) / spacing + 0.5, 0.0, 1.0)).sum())

    low, high = float(grid.means.min()), float(grid.means.max())
    return _bisect(cumulated, low, high, probability)


def _predictive_quantile(
    grid: _Grid, weights: Float[np.ndarray, "spreads means"], probability: float
) -> float:
    """A quantile of the mixture of normal distributions over the grid."""
    spreads = np.broadcast_to(grid.spreads[:, None], grid.means.shape)
    counts = weights > 1e-12
    means, spreads, weights = grid.means[counts], spreads[counts], weights[counts]

    def cumulated(x: float) -> float:
        return float(weights @ ndtr((x - means) / spreads))

    low, high = float((means - 40 * spreads).min()), float((means + 40 * spreads).max())
    return _bisect(cumulated, low, high, probability)


def _bisect(
    cumulated: Callable[[float], float], low: float, high: float, probability: float
) -> float:
    """Where a distribution function reaches a probability."""
    for _ in range(80):
        middle = (low + high) / 2
        if cumulated(middle) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _likelihood_interval(
    spreads: Float[np.ndarray, " spreads"],
    log_likelihood: Float[np.ndarray, " spreads"],
    level: float,
) -> Interval:
    """The most likely spread, and the interval of those not significantly less likely.

    Between the grid's spreads, the likelihood is interpolated over their logarithms.
    """
    # Spreads far too small to explain the runs' differences have hardly any likelihood, or none: a
    # spline through those would overshoot.
    fair = np.flatnonzero(log_likelihood > log_likelihood.max() - _FAR_BELOW)
    kept = slice(max(fair[0] - 1, 0), fair[-1] + 2)
    finite = np.isfinite(log_likelihood[kept])
    logs = np.log(spreads[kept][finite])
    fine = np.linspace(logs[0], logs[-1], _NUM_FINE)
    smooth = CubicSpline(logs, log_likelihood[kept][finite])(fine)
    best = int(np.argmax(smooth))
    allowed = smooth - smooth[best] + chdtri(1, 1 - level) / 2
    inside = np.flatnonzero(allowed >= 0)
    first, last = int(inside[0]), int(inside[-1])

    def crossing(outside: int, inside: int) -> float:
        pair = [outside, inside]
        return float(np.exp(np.interp(0.0, allowed[pair], fine[pair])))

    low = crossing(first - 1, first) if first > 0 else 0.0
    high = crossing(last + 1, last) if last < _NUM_FINE - 1 else np.inf
    # At the low end of the grid the likelihood is that of zero spread.
    if fair[0] == 0 and smooth[best] - smooth[0] < _NEGLIGIBLE:
        return Interval(0.0, 0.0, high)
    return Interval(float(np.exp(fine[best])), low, high)
