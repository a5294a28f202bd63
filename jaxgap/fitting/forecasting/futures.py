r"""Averaging over shapes: thousands of draws from the prior, weighted by the measurements.

Every shape gets the same number of draws of its parameters, of the parameters of the residual and
of the noise level, spread evenly over the prior by a Kronecker sequence (Roberts 2018). The filter
turns each draw into a Gaussian posterior and an evidence $L_i$, and the forecast is the mixture
with weights

$$w_i \propto \pi_i L_i^{\,\eta}, \qquad \eta = \tfrac12,$$

where $\pi_i$ are the prior odds of its shape: a quarter for the decay to zero, one for the others.
With $\eta = 1$ that is Bayes' rule for a family that contains the truth. No family of learning
curves does: what the residual process leaves over is autocorrelated, the evidence counts the same
deviation many times, and the weights collapse into one corner of the family. A fractional posterior
(Holmes and Walker 2017; Grünwald and van Ommen 2017) discounts the evidence. A half is the factor
by which a lag-one autocorrelation of 1/3 reduces the effective number of measurements,
(1 - 1/3) / (1 + 1/3); `experiments/LOG.md` shows that it does better than 1 on measured curves, and
worse on simulated ones.

The model weights of the forecast are the sums of $w_i$ by shape. Where a long or precise curve
would leave all weight to a few draws, more are made where the weight is
(:mod:`jaxgap.fitting.forecasting.tempering`).
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxgap.fitting.curves import padded_length
from jaxgap.fitting.forecasting.filter import Conditioned, Wander, condition
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.shapes import (
    NUM_SHAPE_PARAMETERS,
    SHAPES,
    LogNormalPrior,
)
from jaxgap.fitting.forecasting.tempering import choose
from jaxgap.fitting.precision import double_precision

# Draws from the prior of each shape, and from the mixture.
_NUM_PRIOR_DRAWS = 8192
_NUM_DRAWS = 4096
_EVIDENCE_EXPONENT = 0.5
# Times are padded to this many, so that one horizon and a whole curve share a compiled program.
_NUM_FUTURE = 128
# The prior knows the start to within a factor e, which the first row makes irrelevant.
_START_STDERR = 1.0
# After a window a law of the family is off by a twentieth of the capability: hardly by more than a
# few times that, and by far less in a run that changes little, or follows the law.
_DIFFUSION = LogNormalPrior(0.05, 1.0)
_LESS_DIFFUSION = LogNormalPrior(0.05, 2.0)
# Mostly longer than the window, so that the residual is close to a random walk over a forecast.
_MEMORY = LogNormalPrior(5.0, 1.5)
# Nothing is measured to better than a millionth; with less the filter loses precision.
_LEAST_VARIANCE = 1e-12

# Clearly worse: by more than a law of the family is typically off.
_CLEARLY = _DIFFUSION.median


class _Inputs(NamedTuple):
    """One series, padded, with times in windows since its first row, and the future times."""

    u: Float[Array, " times"]
    values: Float[Array, " times"]
    variances: Float[Array, " times"]
    num_rows: Int[Array, ""]
    start: Float[Array, ""]
    noise_level: LogNormalPrior
    future: Float[Array, " future"]


class _Draws(NamedTuple):
    """Parameters as standard normals: those of the shape, then noise, diffusion, memory."""

    shape: Float[Array, "draws 4"]
    noise: Float[Array, " draws"]
    diffusion: Float[Array, " draws"]
    memory: Float[Array, " draws"]

    @classmethod
    def of(cls, normals: Float[Array, "draws dims"]) -> "_Draws":
        """From one row of numbers per draw."""
        return cls(normals[:, :NUM_SHAPE_PARAMETERS], *normals[:, NUM_SHAPE_PARAMETERS:].T)


class Futures(NamedTuple):
    """Draws of a curve's future, on the scale of the forecast.

    - `logs`: the curve with the residual, at each future time; without measurement noise.
    - `trends`: the curve without the residual.
    - `limits`: of the trends as time goes to infinity.
    - `noise_levels`: for :meth:`Observations.measure`.
    - `lawful`: which draws have a shape with a limit: all but the random walk's.
    - `weights`: of the shapes, by name.
    - `turned`: the probability that the curve is now clearly worse than its trend at its best.
    - `num_effective`: the effective number of draws with distinct parameters.
    """

    logs: Float[np.ndarray, "draws future"]
    trends: Float[np.ndarray, "draws future"]
    limits: Float[np.ndarray, " draws"]
    noise_levels: Float[np.ndarray, " draws"]
    lawful: Bool[np.ndarray, " draws"]
    weights: dict[str, float]
    turned: float
    num_effective: float


def sample_futures(
    observations: Observations, future_ts: Float[np.ndarray, " future"], key: PRNGKeyArray
) -> Futures:
    """Draw futures of a curve, given its measurements.

    **Arguments:**

    - `observations`: one series.
    - `future_ts`: times, none before the last measured one.
    - `key`: for the draws; the same key gives the same draws.
    """
    num_rows, num_future = len(observations.ts), len(future_ts)
    rows = (0, padded_length(num_rows) - num_rows)
    in_order = np.argsort(future_ts)
    place = np.argsort(in_order)
    window = observations.ts[-1] - observations.ts[0]
    arrays: dict[str, Any] = {
        "u": np.pad((observations.ts - observations.ts[0]) / window, rows, mode="edge"),
        "values": np.pad(observations.values, rows),
        "variances": np.pad(observations.variances, rows, constant_values=1.0),
        "num_rows": np.int64(num_rows),
        "start": np.float64(observations.start),
        "noise_level": LogNormalPrior(*(np.float64(number) for number in observations.noise_level)),
        "future": np.pad(
            (future_ts[in_order] - observations.ts[0]) / window,
            (0, max(_NUM_FUTURE, padded_length(num_future)) - num_future),
            mode="edge",
        ),
    }
    with double_precision():
        found = jax.tree.map(np.asarray, _sample(_Inputs(**arrays), key))
    names = [shape.name for shape in SHAPES]
    return Futures(
        logs=found.logs[:, place],
        trends=found.trends[:, place],
        limits=found.limits,
        noise_levels=found.noise_levels,
        lawful=found.lawful,
        weights=dict(zip(names, found.weights.tolist(), strict=True)),
        turned=float(found.turned),
        num_effective=_num_effective(found.normals),
    )


def _num_effective(normals: Float[np.ndarray, "draws dims"]) -> float:
    """The effective number of distinct draws: duplicates of a draw hardly add to it."""
    counts = np.unique(normals, axis=0, return_counts=True)[1]
    return float(len(normals) ** 2 / np.sum(counts**2))


class _Sampled(NamedTuple):
    """What a :class:`Futures` is made of; `normals` are the parameters of the draws."""

    logs: Float[Array, "draws future"]
    trends: Float[Array, "draws future"]
    limits: Float[Array, " draws"]
    noise_levels: Float[Array, " draws"]
    lawful: Bool[Array, " draws"]
    weights: Float[Array, " shapes"]
    turned: Float[Array, ""]
    normals: Float[Array, "draws dims"]


@eqx.filter_jit
def _sample(inputs: _Inputs, key: PRNGKeyArray) -> _Sampled:
    """The compiled part of :func:`sample_futures`."""
    prior_key, choice_key, state_key, residual_key = jax.random.split(key, 4)
    num_normals = NUM_SHAPE_PARAMETERS + 3
    prior = _spread_normals(len(SHAPES) * _NUM_PRIOR_DRAWS, num_normals, prior_key)

    def log_likelihood(normals: Float[Array, "shapes draws dims"]) -> Float[Array, "shapes draws"]:
        log_odds = jnp.log(jnp.array([shape.prior_odds for shape in SHAPES]))[:, None]
        return log_odds + _EVIDENCE_EXPONENT * _log_evidence(inputs, normals)

    per_shape = prior.reshape(len(SHAPES), _NUM_PRIOR_DRAWS, num_normals)
    chosen = choose(log_likelihood, per_shape, _NUM_DRAWS, choice_key)
    shape_index, draws = chosen.shape_index, _Draws.of(chosen.normals)
    posteriors = _posteriors(inputs, shape_index, draws, _terms(inputs.u, shape_index, draws))
    states = _gaussian(posteriors, state_key)
    wander = _wander(draws, shape_index)

    trends = _trends(inputs.future, shape_index, draws, states)
    seen = _trends(inputs.u, shape_index, draws, states)
    turned = jnp.mean(seen[:, -1] + states[:, 3] - seen.min(axis=1) > _CLEARLY)
    now = inputs.u[inputs.num_rows - 1]
    gaps = jnp.diff(inputs.future, prepend=now)
    ends = jnp.array([[shape.end, 1.0] for shape in SHAPES])[shape_index]
    residuals = _residuals(states[:, 3], wander, gaps, residual_key)
    return _Sampled(
        logs=trends + residuals,
        trends=trends,
        limits=states[:, 0] + jnp.sum(states[:, 1:3] * ends, axis=1),
        noise_levels=inputs.noise_level.at(draws.noise),
        lawful=jnp.array([shape.has_limit for shape in SHAPES])[shape_index],
        weights=chosen.masses,
        turned=turned,
        normals=chosen.normals,
    )


def _trends(
    u: Float[Array, " times"],
    shape_index: Int[Array, " draws"],
    draws: _Draws,
    states: Float[Array, "draws 4"],
) -> Float[Array, "draws times"]:
    """The curves of draws of different shapes, without the residual."""
    terms = _terms(u, shape_index, draws)
    return states[:, :1] + jnp.einsum("dtk,dk->dt", terms, states[:, 1:3])


def _terms(
    u: Float[Array, " times"], shape_index: Int[Array, " draws"], draws: _Draws
) -> Float[Array, "draws times 2"]:
    """The terms of draws of different shapes."""
    branches = [lambda normals, shape=shape: shape.terms(u, normals) for shape in SHAPES]
    return jax.vmap(lambda index, normals: jax.lax.switch(index, branches, normals))(
        shape_index, draws.shape
    )


def _log_evidence(
    inputs: _Inputs, normals: Float[Array, "shapes draws dims"]
) -> Float[Array, "shapes draws"]:
    """Of draws grouped by shape, so that each shape's terms are computed only for its own draws."""
    num_shapes, num_draws, _ = normals.shape
    draws = _Draws.of(normals.reshape(num_shapes * num_draws, -1))
    terms = jnp.concatenate(
        [
            jax.vmap(shape.terms, in_axes=(None, 0))(inputs.u, of_shape[:, :NUM_SHAPE_PARAMETERS])
            for shape, of_shape in zip(SHAPES, normals, strict=True)
        ]
    )
    shape_index = jnp.repeat(jnp.arange(num_shapes), num_draws)
    posteriors = _posteriors(inputs, shape_index, draws, terms)
    return posteriors.log_evidence.reshape(num_shapes, num_draws)


def _posteriors(
    inputs: _Inputs,
    shape_index: Int[Array, " draws"],
    draws: _Draws,
    terms: Float[Array, "draws times 2"],
) -> Conditioned:
    """The posterior of each draw's start, amplitudes and residual given the measured values."""
    means, stderrs = jnp.moveaxis(jnp.array([shape.amplitudes for shape in SHAPES]), -1, 0)
    starts = jnp.ones((len(SHAPES), 1))
    prior_mean = jnp.concatenate([inputs.start * starts, means], 1)
    prior_stderr = jnp.concatenate([_START_STDERR * starts, stderrs], 1)
    wander = _wander(draws, shape_index)
    variances = inputs.variances * inputs.noise_level.at(draws.noise)[:, None] ** 2
    measured = jnp.arange(len(inputs.u)) < inputs.num_rows
    elapsed = jnp.diff(inputs.u, prepend=inputs.u[:1])
    condition_each = jax.vmap(condition, in_axes=(None, 0, None, 0, None, 0, 0, 0))
    return condition_each(
        inputs.values,
        jnp.maximum(variances, _LEAST_VARIANCE),
        measured,
        terms,
        elapsed,
        prior_mean[shape_index],
        prior_stderr[shape_index],
        wander,
    )


def _wander(draws: _Draws, shape_index: Int[Array, " draws"]) -> Wander:
    factor = jnp.array([shape.diffusion_factor for shape in SHAPES])[shape_index]
    prior = _DIFFUSION.at(draws.diffusion), _LESS_DIFFUSION.at(draws.diffusion)
    return Wander(factor * jnp.minimum(*prior), _MEMORY.at(draws.memory))


def _spread_normals(
    num_points: int, num_dims: int, key: PRNGKeyArray
) -> Float[Array, "points dims"]:
    """Standard normals from a shifted Kronecker sequence.

    Its steps are powers of the generalised golden ratio, `x^(d + 1) = x + 1`, and it fills the cube
    about as evenly as any sequence (Roberts, *The unreasonable effectiveness of quasirandom
    sequences*, 2018).
    """
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (num_dims + 1))
    steps = ratio ** -np.arange(1.0, num_dims + 1)
    shift = jax.random.uniform(key, (num_dims,), jnp.float64)
    points = jnp.mod(shift + jnp.arange(1.0, num_points + 1)[:, None] * steps, 1.0)
    edge = 0.5 / num_points
    return jax.scipy.special.ndtri(jnp.clip(points, edge, 1 - edge))


def _gaussian(posteriors: Conditioned, key: PRNGKeyArray) -> Float[Array, "draws 4"]:
    """One state from each posterior, whose covariances may be singular."""
    values, vectors = jnp.linalg.eigh(posteriors.covariance)
    normals = jax.random.normal(key, posteriors.mean.shape, jnp.float64)
    scaled = jnp.sqrt(jnp.maximum(values, 0.0)) * normals
    return posteriors.mean + jnp.einsum("dij,dj->di", vectors, scaled)


def _residuals(
    now: Float[Array, " draws"],
    wander: Wander,
    gaps: Float[Array, " future"],
    key: PRNGKeyArray,
) -> Float[Array, "draws future"]:
    """The residual at the future times, from its value at the last measurement."""

    def step(residual, row):
        gap, normals = row
        factor, added = wander.transition(gap)
        residual = factor * residual + jnp.sqrt(added) * normals
        return residual, residual

    normals = jax.random.normal(key, (len(gaps), len(now)), jnp.float64)
    return jax.lax.scan(step, now, (gaps, normals))[1].T
