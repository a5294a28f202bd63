"""Draws and masses against integrals over a grid, where the prior's own draws would not do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting.forecasting.futures import sample_futures
from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.tempering import choose, systematic

# Widths of the likelihoods: the prior's draws do for the first, and not for the second.
WIDTHS = [0.5, 0.004]


def log_likelihoods(x, y, width):
    """Of two shapes: one wants its numbers on a bent ridge, the other on a straight one."""
    return [-0.5 * ((y - x**2 + 1) / width) ** 2, -0.5 * ((x + y - 2) / width) ** 2]


def by_integration(width):
    """The posterior probability of the first shape, and the mean of x given each."""
    x = np.linspace(-5, 5, 2001)[:, None]
    # About the ridge, where all the mass is.
    along = np.linspace(-8 * width, 8 * width, 401)
    masses, means = [], []
    for ridge in (x**2 - 1, 2 - x):
        y = ridge + along
        density = np.exp(-0.5 * (along / width) ** 2 - 0.5 * (x**2 + y**2))
        masses.append(density.sum())
        means.append((density * x).sum() / density.sum())
    return masses[0] / sum(masses), means


@pytest.mark.parametrize("width", WIDTHS)
def test_masses_and_means_are_those_of_the_posterior(width):
    first, means = by_integration(width)

    def log_likelihood(normals):
        return jnp.stack(
            [
                of[index]
                for index, of in enumerate(log_likelihoods(normals[..., 0], normals[..., 1], width))
            ]
        )

    with jax.enable_x64(True):
        normals = jax.random.normal(jax.random.key(1), (2, 4096, 2), jnp.float64)
        found = jax.jit(lambda key: choose(log_likelihood, normals, 4096, key))(jax.random.key(0))
    assert found.masses[0] == pytest.approx(first, abs=0.05)
    for index, mean in enumerate(means):
        of_shape = np.asarray(found.normals[found.shape_index == index])
        assert of_shape[:, 0].mean() == pytest.approx(mean, abs=0.1)
        assert len(np.unique(of_shape, axis=0)) > 300


def test_systematic_draws_are_as_frequent_as_their_weights_to_one():
    weights = np.random.default_rng(0).dirichlet(np.ones(50))
    with jax.enable_x64(True):
        index = systematic(jnp.asarray(weights), 1000, jax.random.key(0))
    assert (np.diff(index) >= 0).all()
    assert np.abs(np.bincount(index, minlength=50) - 1000 * weights).max() < 1


@pytest.mark.slow
def test_a_precise_curve_is_forecast_alike_with_every_key():
    """Medians of four keys lie within a quarter of an interval; prior draws alone spread wider."""
    ts = np.arange(60.0)
    curve = 1 + 2 * np.exp(-ts / 12)
    measured = curve + np.random.default_rng(0).normal(0, 0.003, 60)
    seen = Observations.of_positive(ts, measured, np.full(60, 0.003), "solver")
    futures = [sample_futures(seen, np.array([75.0]), jax.random.key(k)) for k in range(4)]
    ends = np.exp([np.quantile(f.logs[:, 0], [0.05, 0.5, 0.95]) for f in futures])
    low, medians, high = ends.T
    assert np.ptp(medians) < 0.25 * (high - low).mean()
    assert (low < 1 + 2 * np.exp(-75 / 12)).all()
    assert (high > 1 + 2 * np.exp(-75 / 12)).all()
    assert min(f.num_effective for f in futures) > 400


def test_times_may_stand_in_any_order():
    seen = Observations.of_positive(np.arange(6.0), np.exp(-np.arange(6.0)), None, "solver")
    ts = np.array([9.0, 6.0, 7.0])
    key = jax.random.key(0)
    found, ordered = (sample_futures(seen, times, key) for times in (ts, np.sort(ts)))
    np.testing.assert_array_equal(found.logs[:, [1, 2, 0]], ordered.logs)
