r"""Draws where the evidence is: from the prior in one step if that is enough, else in many.

Draws from the prior, weighted by the evidence, are enough for a short or noisy curve. A long or
precise one leaves a handful of them with all the weight, and the forecast would rest on these.
Then the evidence is introduced gradually. With exponents $0 < \lambda_1 < \lambda_2 < \dots \le 1$,
the draws of each shape are, in turn,

- weighted by $L^{\lambda_k - \lambda_{k-1}}$, with the largest $\lambda_k$ that leaves half of them
  effective,
- resampled by these weights, whose mean is a factor of the shape's evidence, and
- moved, by steps that leave $\text{prior} \times L^{\lambda_k}$ invariant.

This is a sequential Monte Carlo sampler (Del Moral, Doucet and Jasra, *Sequential Monte Carlo
samplers*, 2006; adaptive exponents: Jasra et al. 2011). The moves are Metropolis steps along the
difference of two other draws (ter Braak 2006), so they have the scale and the correlations of the
distribution they explore.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jaxgap.random_keys import threefry_key

# With this many effective draws a median is off by 6 % of the spread.
_ENOUGH = 400
# Draws of each shape while tempering, and moves after each increase of the exponent.
_NUM_MOVED = 1024
_NUM_STEPS = 15
# A dozen or two are usual; the last one goes all the way to 1, and may leave few draws.
_MAX_INCREASES = 60
# The target acceptance rate, and how fast the step length adapts to it.
_ACCEPTED = 0.25
_LENGTH_GAIN = 1.0
_SMALLEST_INCREASE = 1e-30

LogLikelihood = Callable[[Float[Array, "shapes draws dims"]], Float[Array, "shapes draws"]]


class Chosen(NamedTuple):
    """Draws from the posterior, each repeated in proportion to its weight.

    - `shape_index`: the shape of each draw, in increasing order.
    - `normals`: its parameters, as standard normals.
    - `masses`: the posterior probabilities of the shapes.
    """

    shape_index: Int[Array, " chosen"]
    normals: Float[Array, "chosen dims"]
    masses: Float[Array, " shapes"]


class _Population(NamedTuple):
    """Equally weighted draws of each shape at its exponent, and the state of the sampler."""

    normals: Float[Array, "shapes draws dims"]
    log_likelihood: Float[Array, "shapes draws"]
    exponent: Float[Array, " shapes"]
    log_mass: Float[Array, " shapes"]
    step_length: Float[Array, " shapes"]
    num_increases: Int[Array, ""]
    finished: Bool[Array, ""]
    key: PRNGKeyArray


def choose(
    log_likelihood: LogLikelihood,
    normals: Float[Array, "shapes draws dims"],
    num_chosen: int,
    key: PRNGKeyArray,
) -> Chosen:
    """Draw from the posterior over shapes and their parameters.

    **Arguments:**

    - `log_likelihood`: of draws of every shape, plus the logarithm of the shape's prior odds;
        negative infinity where a draw is impossible.
    - `normals`: draws from the prior, standard normal in each dimension.
    - `num_chosen`: how many to return.
    - `key`: the same key gives the same draws.
    """

    def finite(normals):
        # Not an infinity, which an exponent of 0 would turn into NaN.
        found = log_likelihood(normals)
        return jnp.where(jnp.isfinite(found), found, -1e300)

    move_key, choice_key = jax.random.split(key)
    found = finite(normals)

    def as_they_are():
        return _chosen(normals, found, num_chosen, choice_key)

    def tempered():
        reached = _tempered(finite, normals, found, move_key)
        weights = jnp.broadcast_to(reached.log_mass[:, None], reached.log_likelihood.shape)
        return _chosen(reached.normals, weights, num_chosen, choice_key)

    enough = _effective(jax.nn.softmax(found.ravel())) >= _ENOUGH
    return jax.lax.cond(enough, as_they_are, tempered)


def systematic(
    weights: Float[Array, " all"], num_chosen: int, key: PRNGKeyArray
) -> Int[Array, " chosen"]:
    """Systematic resampling: indices in increasing order, each as often as its weight, within 1."""
    offset = jax.random.uniform(key, (), weights.dtype)
    marks = (jnp.arange(num_chosen) + offset) / num_chosen
    total = jnp.cumsum(weights)
    return jnp.minimum(jnp.searchsorted(total, marks * total[-1]), len(weights) - 1)


def _chosen(
    normals: Float[Array, "shapes draws dims"],
    log_weights: Float[Array, "shapes draws"],
    num_chosen: int,
    key: PRNGKeyArray,
) -> Chosen:
    weights = jax.nn.softmax(log_weights, axis=(0, 1))
    index = systematic(weights.ravel(), num_chosen, key)
    return Chosen(
        index // weights.shape[1],
        normals.reshape(-1, normals.shape[-1])[index],
        weights.sum(axis=1),
    )


def _tempered(
    log_likelihood: LogLikelihood,
    normals: Float[Array, "shapes draws dims"],
    found: Float[Array, "shapes draws"],
    key: PRNGKeyArray,
) -> _Population:
    """A smaller population of each shape, tempered from the prior to the posterior."""
    num_shapes, _, num_dims = normals.shape
    first = _Population(
        normals,
        found,
        exponent=jnp.zeros(num_shapes),
        log_mass=jnp.zeros(num_shapes),
        # The optimal length for a normal distribution of this dimension (ter Braak 2006).
        step_length=jnp.full(num_shapes, 2.38 / (2 * num_dims) ** 0.5),
        num_increases=jnp.zeros((), jnp.int64),
        finished=jnp.zeros((), bool),
        key=key,
    )

    def on(population: _Population) -> _Population:
        key, steps_key, resample_key = jax.random.split(population.key, 3)
        # Once all exponents are 1 these are the last moves.
        population = population._replace(key=key, finished=(population.exponent >= 1).all())
        population, _ = jax.lax.scan(
            lambda before, step_key: (_step(log_likelihood, before, step_key), None),
            population,
            jax.random.split(steps_key, _NUM_STEPS),
        )
        return _increase(population, resample_key)

    key, resample_key = jax.random.split(key)
    first = _increase(first._replace(key=key), resample_key)
    return jax.lax.while_loop(lambda population: ~population.finished, on, first)


def _increase(population: _Population, key: PRNGKeyArray) -> _Population:
    """Raise the exponents, and resample to equal weights."""
    left = 1 - population.exponent
    step = jax.vmap(_next_increase)(population.log_likelihood, left)
    step = jnp.where(population.num_increases >= _MAX_INCREASES - 1, left, step)
    log_weights = step[:, None] * population.log_likelihood
    mass = jax.nn.logsumexp(log_weights, axis=1) - jnp.log(log_weights.shape[1])
    keys = jax.random.split(threefry_key(key), len(left))
    chosen = jax.vmap(lambda w, key: systematic(jax.nn.softmax(w), _NUM_MOVED, key))(
        log_weights, keys
    )
    return population._replace(
        normals=jnp.take_along_axis(population.normals, chosen[:, :, None], axis=1),
        log_likelihood=jnp.take_along_axis(population.log_likelihood, chosen, axis=1),
        # Exactly 1 at the end, whatever was lost in the sum.
        exponent=jnp.where(step >= left, 1.0, population.exponent + step),
        log_mass=population.log_mass + mass,
        num_increases=population.num_increases + 1,
    )


def _next_increase(
    log_likelihood: Float[Array, " draws"], left: Float[Array, ""]
) -> Float[Array, ""]:
    """The largest increase that keeps half of a population effective, but at most `left`."""
    wanted = len(log_likelihood) / 2

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        kept = _effective(jax.nn.softmax(jnp.exp(middle) * log_likelihood)) >= wanted
        return jnp.where(kept, middle, low), jnp.where(kept, high, middle)

    ends = jnp.log(_SMALLEST_INCREASE), jnp.log(jnp.maximum(left, _SMALLEST_INCREASE))
    low, _ = jax.lax.fori_loop(0, 40, halve, ends)
    done = _effective(jax.nn.softmax(left * log_likelihood)) >= wanted
    return jnp.where(done, left, jnp.minimum(jnp.exp(low), left))


def _step(log_likelihood: LogLikelihood, population: _Population, key: PRNGKeyArray) -> _Population:
    """One Metropolis step of every draw, along the difference of two others of its shape."""
    pair_key, length_key, accept_key = jax.random.split(key, 3)
    normals, now = population.normals, population.log_likelihood
    pairs = jax.random.randint(pair_key, (2, *now.shape), 0, now.shape[1])
    one, other = (jnp.take_along_axis(normals, index[:, :, None], axis=1) for index in pairs)
    # A range of lengths, as the posterior may be wide in one place and narrow in another.
    spread = jnp.exp(0.5 * jax.random.normal(length_key, now.shape, normals.dtype))
    length = population.step_length[:, None] * spread
    proposed = normals + length[:, :, None] * (one - other)
    then = log_likelihood(proposed)
    log_ratio = population.exponent[:, None] * (then - now)
    log_ratio += 0.5 * (normals**2 - proposed**2).sum(axis=-1)
    accepted = jnp.log(jax.random.uniform(accept_key, now.shape, now.dtype)) < log_ratio
    share = accepted.mean(axis=1)
    return population._replace(
        normals=jnp.where(accepted[:, :, None], proposed, normals),
        log_likelihood=jnp.where(accepted, then, now),
        step_length=population.step_length * jnp.exp(_LENGTH_GAIN * (share - _ACCEPTED)),
    )


def _effective(weights: Float[Array, " draws"]) -> Float[Array, ""]:
    """The effective sample size."""
    return 1 / (weights**2).sum()
