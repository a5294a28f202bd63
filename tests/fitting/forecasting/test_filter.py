"""The filter against the same Gaussian conditioning written with dense matrices in SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from jaxgap.fitting.forecasting.filter import Wander, condition

NUM_ROWS = 7


def dense(values, variances, terms, u, prior_mean, prior_stderr, diffusion, memory):
    """Posterior of start, amplitudes and last residual, and the evidence, by matrices."""
    design = np.column_stack([np.ones(len(u)), terms])
    later = np.abs(u[:, None] - u)
    total = u[:, None] + u
    residual = diffusion**2 * memory / 2 * (np.exp(-later / memory) - np.exp(-total / memory))
    prior = np.diag(prior_stderr**2)
    covariance = design @ prior @ design.T + residual + np.diag(variances)
    log_evidence = multivariate_normal(design @ prior_mean, covariance).logpdf(values)
    cross = np.vstack([prior @ design.T, residual[-1]])
    before = np.append(prior_mean, 0.0)
    mean = before + cross @ np.linalg.solve(covariance, values - design @ prior_mean)
    joint = np.zeros((4, 4))
    joint[:3, :3], joint[3, 3] = prior, residual[-1, -1]
    return mean, joint - cross @ np.linalg.solve(covariance, cross.T), log_evidence


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), memory=st.floats(0.1, 50.0), noise=st.floats(1e-3, 1.0))
def test_agrees_with_dense_conditioning(seed, memory, noise):
    rng = np.random.default_rng(seed)
    u = np.append(0.0, np.cumsum(rng.uniform(0.05, 0.3, NUM_ROWS - 1)))
    values, terms = rng.normal(size=NUM_ROWS), rng.uniform(size=(NUM_ROWS, 2))
    variances = noise**2 * rng.uniform(0.5, 2.0, NUM_ROWS)
    prior_mean, prior_stderr = rng.normal(size=3), rng.uniform(0.2, 2.0, 3)
    with jax.enable_x64(True):
        found = jax.jit(condition)(
            *(jnp.asarray(a) for a in (values, variances, np.ones(NUM_ROWS, bool), terms)),
            jnp.diff(u, prepend=0.0),
            jnp.asarray(prior_mean),
            jnp.asarray(prior_stderr),
            Wander(0.3, memory),
        )
    mean, covariance, log_evidence = dense(
        values, variances, terms, u, prior_mean, prior_stderr, 0.3, memory
    )
    np.testing.assert_allclose(found.mean, mean, atol=1e-7)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-7)
    np.testing.assert_allclose(found.log_evidence, log_evidence, rtol=1e-7, atol=1e-7)


def test_padding_changes_nothing():
    with jax.enable_x64(True):
        rows = [jnp.array([0.3, 0.1, 9.9]), jnp.ones(3), jnp.zeros((3, 2)), jnp.array([0.0, 1, 0])]
        prior = (jnp.zeros(3), jnp.ones(3), Wander(0.1, 1.0))
        padded = condition(*rows[:2], jnp.array([True, True, False]), *rows[2:], *prior)
        alone = condition(
            *(row[:2] for row in rows[:2]),
            jnp.array([True, True]),
            *(r[:2] for r in rows[2:]),
            *prior,
        )
    jax.tree.map(np.testing.assert_array_equal, padded, alone)
