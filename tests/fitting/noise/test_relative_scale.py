"""Noise in proportion to the curve: its likelihood by SciPy, its intervals, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import minimize
from scipy.stats import lognorm

from jaxgap.fitting import (
    LinearLaw,
    LogNormal,
    RelativeScale,
    fit,
    fit_many,
    load_result,
    save_result,
)
from jaxgap.fitting.noise import weighted_curves
from jaxgap.trajectory import Trajectory

TS = np.arange(16.0)
RATE, RATIO, LIMIT = 0.3, 0.5, 0.4


def curves(p, ts=TS):
    """p = U_s_inf, A, log kappa, U_v_inf, B."""
    decay = np.exp(-np.exp(p[2]) * ts)
    return p[0] + p[1] * decay, p[3] + p[4] * decay


def run_of_law(seed, noise=0.04):
    rng = np.random.default_rng(seed)
    solver, verifier = curves([LIMIT, 3.0, np.log(RATE), 0.3, RATIO * 3.0])
    draws = np.exp(noise * rng.standard_normal((2, len(TS))))
    return Trajectory(TS, solver * draws[0], verifier * draws[1])


def test_the_fit_is_of_greatest_likelihood():
    run = run_of_law(0)

    def densities(p):
        of = [
            lognorm.logpdf(measured, np.exp(p[5]), scale=curve)
            for measured, curve in zip((run.solver, run.verifier), curves(p), strict=True)
        ]
        return np.stack(of, axis=1)

    best = np.array([LIMIT, 3.0, np.log(RATE), 0.3, 1.5, np.log(0.04)])
    sharp = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}
    for _ in range(6):
        best = minimize(lambda p: -densities(p).sum(), best, method="Nelder-Mead", options=sharp).x
    result = fit(LinearLaw(), run, noise=RelativeScale())
    assert result.converged
    np.testing.assert_allclose(
        [result.limits["solver"].estimate, result.parameters["rate"].estimate],
        [best[0], np.exp(best[2])],
        rtol=1e-4,
    )
    found = result.source.raw.log_likelihoods[: len(TS)]
    np.testing.assert_allclose(found.sum(), densities(best).sum(), atol=1e-6)
    np.testing.assert_allclose(found, densities(best), atol=1e-3)


def test_intervals_hold_what_they_say_where_those_of_one_size_do_not():
    runs = [run_of_law(seed) for seed in range(120)]

    def covered(noise):
        found = fit_many(LinearLaw(), runs, noise=noise)
        truths = [(each.parameters["rate"].interval, RATE) for each in found]
        truths += [(each.parameters["ratio"].interval, RATIO) for each in found]
        inside = np.mean([low <= truth <= high for (low, high), truth in truths])
        changes = np.mean([each.diagnosis.one_regime.significant for each in found])
        return inside, changes

    inside, changes = covered(RelativeScale())
    assert 0.84 < inside < 0.96
    assert changes < 0.05
    inside, changes = covered(None)
    assert inside < 0.75
    assert changes > 0.3


@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_changes_nothing(unit):
    run = run_of_law(1)
    other = Trajectory(TS, unit * run.solver, unit * run.verifier)
    found, scaled = (fit(LinearLaw(), each, noise=RelativeScale()) for each in (run, other))
    for name in ("solver", "verifier"):
        of_scaled = np.array(scaled.limits[name].interval) / unit
        np.testing.assert_allclose(of_scaled, found.limits[name].interval, rtol=1e-4)
    assert scaled.parameters["rate"].estimate == pytest.approx(
        found.parameters["rate"].estimate, rel=1e-6
    )


def test_residuals_are_defined_and_differentiable_for_curves_below_zero():
    with jax.enable_x64(True):
        seen = jax.tree.map(jnp.asarray, weighted_curves(run_of_law(2), 16, RelativeScale()).curves)
        scales = jnp.array([-2.0])

        def residuals(shift):
            return RelativeScale().residuals(seen.ys - shift, seen, scales)

        for shift in (0.1, 3.0):
            check_grads(residuals, (jnp.array(shift),), order=1, modes=["fwd", "rev"], rtol=1e-5)
        # The further below, the further from the data.
        costs = [float((residuals(shift) ** 2).sum()) for shift in (0.0, 0.1, 3.0, 9.0)]
        assert np.isfinite(costs).all()
        assert costs == sorted(costs)


def test_simulated_measurements_are_about_the_curve_in_proportion_to_it():
    result = fit(LinearLaw(), run_of_law(3), noise=RelativeScale())
    problem, seen, raw = result.source.problem, result.source.curves, result.source.raw
    with jax.enable_x64(True):
        scales = problem.scales(jnp.asarray(raw.coordinates), seen)
        one = jnp.ones(())
        keys = jax.random.split(jax.random.key(0), 4000)
        fitted = jnp.asarray(raw.fitted)
        drawn = jax.vmap(lambda key: problem.noise.draw(key, fitted, seen, scales, one))(keys)
    rows = (np.asarray(drawn) / np.asarray(fitted))[:, : len(TS)]
    np.testing.assert_allclose(np.median(rows, axis=0), 1.0, atol=0.01)
    np.testing.assert_allclose(np.log(rows).std(axis=0), np.exp(scales[0]), rtol=0.08)


def test_it_takes_priors_and_can_be_simulated_and_saved(tmp_path):
    priors = {"rate": LogNormal(0.3, 0.2)}
    result = fit(LinearLaw(), run_of_law(4), noise=RelativeScale(), priors=priors)
    assert result.converged
    samples = result.bootstrap(20, key=jax.random.key(1)).samples["rate"]
    assert np.isfinite(samples).all()
    assert np.ptp(samples) > 0
    save_result(result, tmp_path / "fit.json")
    assert load_result(tmp_path / "fit.json").report() == result.report()


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (Trajectory(TS, 0.9 - 0.5 * np.exp(-0.3 * TS), kind="accuracy"), "these are accuracies"),
        (Trajectory(TS, np.maximum(3 - TS, 0.0)), "above zero, and the solver's is 0 at t=3"),
        (Trajectory(TS, 3 - 0.1 * TS, verifier=1 - 0.1 * TS), "the verifier's is -0.5 at t=15"),
    ],
)
def test_accuracies_and_values_not_above_zero_are_refused(run, message):
    with pytest.raises(ValueError, match=message):
        fit(LinearLaw(), run, noise=RelativeScale())
