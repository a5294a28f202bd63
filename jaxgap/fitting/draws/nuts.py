r"""The posterior of a law's parameters, given the data and priors.

The likelihood is that of the fit's own noise model. Each free reported parameter has a coordinate,
$\theta_i = b_i(u_i)$ with the bijectors of :mod:`jaxgap.fitting.laws.constrained_law`, and so has
the logarithm of each noise scale. A prior with density $p_i(\theta_i)$ has the density
$p_i(b_i(u_i))\, |b_i'(u_i)|$ there. The default priors are:

- between two bounds: uniform;
- with one bound: log-normal in the distance from it, about the typical size, within $e^3$;
- unbounded: normal about the first measurement (a capability or a gap) or zero, with ten times the
  typical size as standard deviation; also ten for the logarithm of a scale.

So all priors, and hence the posterior, are proper. But where the data do not determine a number its
posterior is mostly prior: the profile shows this, the posterior cannot.

The sampler moves in the coordinates $z$ in which the law is fitted, with the density multiplied by
$|\det \partial u / \partial z|$: where little of the decay was seen, a slow rate and a far limit
form one long bent ridge in $u$, along which chains do not mix, and a straight one in $z$.

A prior on a parameter that is tied to another has no coordinate of its own, and acts like a
measurement of the parameter.

Sampler: NUTS (Hoffman and Gelman, JMLR 15, 2014) by NumPyro, with a dense mass matrix, all chains
in parallel. Diagnostics: split R-hat and effective sample size (Gelman et al., *Bayesian Data
Analysis*, 3rd ed., section 11.4), and divergent steps.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.draws.samples import by_name, percentiles
from jaxgap.fitting.laws.bijectors import AbstractBijector, Between, Fixed, Real
from jaxgap.fitting.laws.constrained_law import ConstrainedLaw
from jaxgap.fitting.laws.given_constraints import constrained
from jaxgap.fitting.noise import EstimatedScale, JointScale
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.random_keys import threefry_key
from jaxgap.trajectory import Kind

# Standard deviations of the default priors: with one bound, and unbounded.
_WIDE_LOG, _WIDE = 3.0, 10.0
# How far from their bounds chains start, in coordinates in which e^-z is the distance.
_INSIDE = 5.0
# How far apart chains start, in coordinates in which a unit step is large.
_APART = 0.1
# Above this R-hat, or below this effective size, chains have not mixed.
_MAX_R_HAT, _MIN_ESS = 1.01, 400.0


@dataclasses.dataclass(frozen=True)
class Posterior:
    """Draws from the posterior.

    - `samples`: by the name of a parameter, or `"limit solver"` and the like for a limit, arrays
        of shape `(chains, draws)` in the trajectory's own terms.
    - `r_hat`, `ess`: of each, the split R-hat and the effective sample size.
    - `num_divergent`: the number of divergent steps after warm-up; more than a few mean that a part
        of the posterior was not reached.
    """

    samples: dict[str, Float[np.ndarray, "chains draws"]]
    r_hat: dict[str, float]
    ess: dict[str, float]
    num_divergent: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know."""
        found = []
        if self.num_divergent:
            found.append(f"{self.num_divergent} steps diverged: part of the posterior is missing")
        unmixed = [name for name, value in self.r_hat.items() if not value <= _MAX_R_HAT]
        if unmixed:
            found.append(f"R-hat is above {_MAX_R_HAT} for {', '.join(unmixed)}: draw more")
        few = [name for name, value in self.ess.items() if not value >= _MIN_ESS]
        if few:
            found.append(f"the effective sample size is below {_MIN_ESS:g} for {', '.join(few)}")
        return tuple(found)

    def intervals(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Equal-tailed intervals by name.

        **Raises:**

        `InputError` (a `ValueError`) if the level is not in (0, 1).
        """
        return percentiles(self.samples, level)


def posterior(
    problem: FitProblem,
    curves: Curves,
    raw: RawFit,
    kind: Kind,
    key: Key[Array, ""],
    *,
    num_chains: int,
    num_warmup: int,
    num_samples: int,
) -> Posterior:
    """Draw from the posterior of a fit: see :meth:`jaxgap.fitting.FitResult.posterior`."""
    for name, value, least in (
        ("num_chains", num_chains, 1),
        ("num_warmup", num_warmup, 20),
        ("num_samples", num_samples, 4),
    ):
        if value < least:
            raise InputError(f"{name} must be at least {least}, got {value}")
    try:
        from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
    except ImportError as error:
        raise InputError("a posterior needs NumPyro: pip install 'jaxgap[bayes]'") from error
    own, problem = problem, sampled_problem(problem, curves, kind)
    with double_precision():
        keys = jax.random.split(threefry_key(key), num_chains)
        numbers, diverging = _draws(own, problem, curves, raw, keys, num_warmup, num_samples)
        samples = by_name(problem, curves.has_verifier, kind, np.asarray(numbers))
    moving = {name: values for name, values in samples.items() if np.ptp(values) > 0}
    return Posterior(
        samples=samples,
        r_hat={name: float(split_gelman_rubin(values)) for name, values in moving.items()},
        ess={name: float(effective_sample_size(values)) for name, values in moving.items()},
        num_divergent=int(np.asarray(diverging).sum()),
    )


def sampled_problem(problem: FitProblem, curves: Curves, kind: Kind) -> FitProblem:
    """The problem in coordinates of the parameters themselves, including every unknown scale."""
    law, noise = problem.law, problem.noise
    if not isinstance(law, ConstrainedLaw):
        law = constrained(law, {}, curves, kind)
    if isinstance(noise, EstimatedScale):
        noise = JointScale()
    return dataclasses.replace(problem, law=law, noise=noise)


def log_posterior(problem: FitProblem, z: Float[Array, " n"], curves: Curves) -> Float[Array, ""]:
    """The log density at coordinates of a :func:`sampled_problem`, up to a constant."""
    law = problem.law
    assert isinstance(law, ConstrainedLaw)
    bijectors = law.bijectors(curves)
    predicted = problem.curve_fn(problem.dynamics(z, curves), curves.ts)
    rows = problem.noise.residuals(predicted, curves, problem.scales(z, curves))
    total = -0.5 * jnp.sum(rows**2) - 0.5 * jnp.sum((problem.scales(z, curves) / _WIDE) ** 2)

    def prior_residuals(z):
        values = law.parameter_values(problem.dynamics(z, curves))
        return jnp.stack([prior.residual(values) for prior in problem.priors])

    given = {prior.index for prior in problem.priors}
    for position, (index, bijector) in enumerate(zip(law.free, bijectors, strict=True)):
        if index not in given:
            total += _default_log_prior(bijector, z[position])
    if problem.priors:
        total -= 0.5 * jnp.sum(prior_residuals(z) ** 2)
        slopes = jax.jacfwd(prior_residuals)(z)
        for row, prior in enumerate(problem.priors):
            if prior.index in law.free:
                total += jnp.log(jnp.abs(slopes[row, law.free.index(prior.index)]))
    return total


def _default_log_prior(bijector: AbstractBijector, z: Float[Array, ""]) -> Float[Array, ""]:
    """The log density of a parameter's default prior, in its coordinate."""
    if isinstance(bijector, Between):
        z = z + bijector.offset
        return jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)
    width = _WIDE if isinstance(bijector, Real) else _WIDE_LOG
    return -0.5 * (z / width) ** 2


class _Moving(eqx.Module):
    """The sampler's coordinates: the law's own that are not fixed, then the scales."""

    own: FitProblem
    sampled: FitProblem

    def _indices(self, curves: Curves) -> list[int]:
        bijectors = enumerate(self.own.law.bijectors(curves))
        return [index for index, each in bijectors if not isinstance(each, Fixed)]

    def centre(self, curves: Curves, raw: RawFit) -> Float[Array, " n"]:
        """The fit, moved a little inside where it lies on a bound."""
        bijectors = self.own.law.bijectors(curves)
        inner = [
            bijector.off_bounds(z, _INSIDE, _INSIDE)
            for z, bijector in zip(raw.coordinates[: len(bijectors)], bijectors, strict=True)
        ]
        of_law = jnp.stack(inner)
        problem = dataclasses.replace(self.own, noise=self.sampled.noise)
        scales = problem.scales(problem.with_scales(of_law, curves), curves)
        return jnp.concatenate([of_law[np.array(self._indices(curves))], scales])

    def to_sampled(self, z: Float[Array, " n"], curves: Curves) -> Float[Array, " n"]:
        """The coordinates of the parameters themselves."""
        indices = self._indices(curves)
        own, law = self.own.law, self.sampled.law
        assert isinstance(law, ConstrainedLaw)
        all_of_law = jnp.zeros(len(own.bijectors(curves)))
        all_of_law = all_of_law.at[np.array(indices)].set(z[: len(indices)])
        values = own.parameter_values(self.own.dynamics(all_of_law, curves))
        return jnp.concatenate([law.coordinates(values, curves), z[len(indices) :]])

    def log_density(self, z: Float[Array, " n"], curves: Curves) -> Float[Array, ""]:
        """The log posterior density of these coordinates, up to a constant."""
        slopes = jax.jacfwd(lambda z: self.to_sampled(z, curves))(z)
        volume = jnp.linalg.slogdet(slopes)[1]
        return log_posterior(self.sampled, self.to_sampled(z, curves), curves) + volume


@eqx.filter_jit
def _draws(
    own: FitProblem,
    problem: FitProblem,
    curves: Curves,
    raw: RawFit,
    keys: Key[Array, " chains"],
    num_warmup: int,
    num_samples: int,
) -> tuple[Float[Array, "chains draws k"], Bool[Array, "chains draws"]]:
    """The reported numbers at every draw of every chain, and which steps diverged."""
    from numpyro.infer.hmc import hmc

    moving = _Moving(own, problem)
    centre = moving.centre(curves, raw)
    init, step = hmc(lambda z: -moving.log_density(z, curves), algo="NUTS")

    def chain(key):
        key, start_key = jax.random.split(key)
        start = centre + _APART * jax.random.normal(start_key, centre.shape, centre.dtype)
        state = init(
            start,
            num_warmup,
            dense_mass=True,
            target_accept_prob=0.9,
            forward_mode_differentiation=True,
            rng_key=key,
        )
        state = jax.lax.fori_loop(0, num_warmup, lambda _, state: step(state), state)

        def draw(state, _):
            state = step(state)
            return state, (state.z, state.diverging)

        return jax.lax.scan(draw, state, length=num_samples)[1]

    coordinates, diverging = jax.vmap(chain)(keys)
    indices = np.array(problem.visible(curves.has_verifier))

    def numbers(z):
        return problem.numbers(moving.to_sampled(z, curves), curves)[indices]

    return jax.vmap(jax.vmap(numbers))(coordinates), diverging
