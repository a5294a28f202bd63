"""The posterior: its density against SciPy, its intervals against the profile's, its coverage."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import lognorm, norm

from jaxgap.fitting import (
    Bounded,
    Held,
    LinearLaw,
    LogNormal,
    Normal,
    StudentT,
    Tied,
    fit,
    fit_many,
)
from jaxgap.fitting.draws.nuts import log_posterior, sampled_problem
from jaxgap.random_keys import threefry_key
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 12.0, 16)


def drawn(seed):
    noise = 0.01 * np.random.default_rng(seed).standard_normal((2, 16))
    decay = np.exp(-0.4 * TS)
    return Trajectory(TS, 0.5 + decay + noise[0], 0.3 + 0.4 * decay + noise[1])


@pytest.fixture(scope="module", name="result")
def _result():
    return fit(LinearLaw(), drawn(0))


@pytest.fixture(scope="module", name="found")
def _found(result):
    return result.posterior(key=jax.random.key(0))


@pytest.mark.slow
def test_the_density_is_that_of_the_parameters_times_the_jacobian():
    """Uniform between bounds, else normal by default, or as given; the scale's is in its log."""
    run = drawn(0)
    priors = {"rate": LogNormal(0.3, 0.5), "gap_limit": Normal(0.1, 0.2)}
    bounds = {"solver_initial": Bounded(-9.0, 90.0)}
    result = fit(LinearLaw(), run, priors=priors, constraints=bounds)
    source = result.source
    problem = sampled_problem(source.problem, source.curves, result.kind)
    spread = float(source.curves.value_scale)

    def parameters(z):
        return np.asarray(problem.law.parameter_values(problem.dynamics(z, source.curves)))

    def by_scipy(z):
        rate, ratio, gap_limit, solver, verifier = parameters(z)
        sigma = spread * np.exp(z[5])
        fallen = -np.expm1(-rate * TS) * (solver - verifier - gap_limit) / (1 - ratio)
        likelihood = norm.logpdf(run.solver, solver - fallen, sigma)
        likelihood = likelihood + norm.logpdf(run.verifier, verifier - ratio * fallen, sigma)
        prior = (
            lognorm.logpdf(rate, 0.5, scale=0.3)
            + norm.logpdf(gap_limit, 0.1, 0.2)
            + norm.logpdf(verifier, run.solver[0], 10 * spread)
            + norm.logpdf(z[5], 0, 10)
        )
        # Each parameter has a coordinate of its own, so that the Jacobian is diagonal.
        jacobian = approx_fprime(z, lambda z: parameters(z), 1e-7)
        np.testing.assert_allclose(jacobian[:, :5], np.diag(np.diag(jacobian)), atol=1e-6)
        return likelihood.sum() + prior + np.log(np.abs(np.diag(jacobian))).sum()

    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        centre = problem.with_scales(
            problem.law.coordinates(
                problem.law.parameter_values(source.raw.dynamics), source.curves
            ),
            source.curves,
        )
        points = np.asarray(centre) + 0.3 * rng.standard_normal((5, 6))
        ours = [float(log_posterior(problem, jnp.asarray(z), source.curves)) for z in points]
        theirs = [by_scipy(z) for z in points]
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-5, atol=1e-4)


def test_where_the_data_are_good_it_agrees_with_the_profile(result, found):
    assert found.warnings == ()
    assert found.samples["rate"].shape == (4, 1000)
    for name, (low, high) in found.intervals().items():
        is_limit = name.startswith("limit ")
        estimate = result.limits[name[6:]] if is_limit else result.parameters[name]
        np.testing.assert_allclose((low, high), estimate.interval, atol=0.2 * estimate.stderr)
        assert found.r_hat[name] < 1.01
        assert found.ess[name] > 400


@pytest.mark.slow
@pytest.mark.parametrize("has_verifier", [True, False])
def test_chains_mix_where_little_of_the_decay_was_seen(has_verifier):
    """A slow rate with a far limit fits as well as the truth: a ridge as long as the prior."""
    ts = np.linspace(0.0, 1.2, 8)
    noise = 0.02 * np.random.default_rng(2).standard_normal((2, 8))
    solver, verifier = 0.5 + np.exp(-0.4 * ts), 0.3 + 0.4 * np.exp(-0.4 * ts)
    run = Trajectory(ts, solver + noise[0], verifier + noise[1] if has_verifier else None)
    result = fit(LinearLaw(), run)
    least = result.limits["solver"].interval[0]
    assert least is None or least < -3
    found = result.posterior(key=jax.random.key(0))
    assert max(found.r_hat.values()) < 1.02
    assert min(found.ess.values()) > 400
    low, high = found.intervals()["limit solver"]
    assert low < -3 < 0.5 < high


def test_the_same_key_gives_the_same_draws(result, found):
    again = result.posterior(key=jax.random.key(0))
    np.testing.assert_array_equal(again.samples["rate"], found.samples["rate"])


@pytest.mark.slow
def test_too_few_draws_are_said(result):
    found = result.posterior(key=jax.random.key(1), num_warmup=20, num_samples=10)
    assert any("the effective sample size is below 400" in warning for warning in found.warnings)


def test_impossible_requests_are_refused(result, monkeypatch):
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="num_chains must be at least 1, got 0"):
        result.posterior(key=key, num_chains=0)
    with pytest.raises(ValueError, match="num_samples must be at least 4, got 1"):
        result.posterior(key=key, num_samples=1)
    monkeypatch.setitem(sys.modules, "numpyro.diagnostics", None)
    with pytest.raises(ValueError, match="a posterior needs NumPyro"):
        result.posterior(key=key)


@pytest.mark.slow
def test_constraints_hold_in_every_draw():
    constraints = {
        "gap_limit": Held(0.2),
        "rate": Bounded(0.3, 0.5),
        "verifier_initial": Tied("solver_initial", lambda value: 0.5 * value),
    }
    found = fit(LinearLaw(), drawn(0), constraints=constraints).posterior(key=jax.random.key(0))
    np.testing.assert_allclose(found.samples["gap_limit"], 0.2)
    assert "gap_limit" not in found.r_hat
    assert 0.3 <= found.samples["rate"].min() <= found.samples["rate"].max() <= 0.5
    tied = found.samples["verifier_initial"]
    np.testing.assert_allclose(tied, 0.5 * found.samples["solver_initial"])
    assert found.ess["rate"] > 400


@pytest.mark.slow
@pytest.mark.parametrize("name", ["counts", "outliers"])
def test_other_noise_agrees_with_its_profile(name):
    if name == "counts":
        counts = np.random.default_rng(0).binomial(2000, 0.9 - 0.5 * np.exp(-0.4 * TS)) / 2000
        run = Trajectory(TS, counts, kind="accuracy", num_items=2000)
        result = fit(LinearLaw(), run)
    else:
        result = fit(LinearLaw(), drawn(3), noise=StudentT())
    found = result.posterior(key=jax.random.key(0))
    assert found.num_divergent < 20
    estimate = result.limits["solver"]
    low, high = found.intervals()["limit solver"]
    np.testing.assert_allclose((low, high), estimate.interval, atol=0.6 * estimate.stderr)


@pytest.mark.slow
def test_intervals_hold_the_truth():
    """40 runs at 90 %: fewer than 29 would be one chance in two thousand."""
    results = fit_many(LinearLaw(), [drawn(seed + 100) for seed in range(40)])
    held = 0
    for seed, result in enumerate(results):
        draws = result.posterior(key=jax.random.key(seed), num_warmup=300, num_samples=200)
        low, high = draws.intervals()["rate"]
        held += low <= 0.4 <= high
    assert held >= 29


@pytest.mark.slow
def test_an_rbg_key_draws_as_a_threefry_key(result):
    # Chains that end a step early would keep their keys, and with them those of the others.
    key = jax.random.key(1, impl="rbg")
    options = {"num_chains": 2, "num_warmup": 20, "num_samples": 4}
    one, two = (result.posterior(key=each, **options) for each in (key, threefry_key(key)))
    np.testing.assert_array_equal(one.samples["rate"], two.samples["rate"])
