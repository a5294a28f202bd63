"""The parametric bootstrap: against the curvature where the law is straight, and its coverage."""

import jax
import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, StudentT, fit
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


def test_the_spread_is_that_of_the_estimates(result):
    found = result.bootstrap(600, key=jax.random.key(0))
    assert found.num_failed == 0
    assert found.warnings == ()
    for name in ("rate", "ratio", "gap_limit"):
        estimate = result.parameters[name]
        np.testing.assert_allclose(found.samples[name].std(), estimate.stderr, rtol=0.12)
        np.testing.assert_allclose(
            found.intervals()[name], estimate.interval, atol=0.4 * estimate.stderr
        )
    np.testing.assert_allclose(
        found.samples["limit solver"].mean(), result.limits["solver"].estimate, atol=2e-3
    )


def test_the_same_key_draws_the_same_runs(result):
    one, two, other = (result.bootstrap(30, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.samples["rate"], two.samples["rate"])
    assert not np.array_equal(one.samples["rate"], other.samples["rate"])
    old_style = result.bootstrap(30, key=jax.random.PRNGKey(1))
    np.testing.assert_array_equal(one.samples["rate"], old_style.samples["rate"])


def test_an_rbg_key_draws_as_a_threefry_key(result):
    key = jax.random.key(1, impl="rbg")
    one, two = (result.bootstrap(20, key=each) for each in (key, threefry_key(key)))
    np.testing.assert_array_equal(one.samples["rate"], two.samples["rate"])


@pytest.mark.slow
def test_intervals_hold_the_truth(result):
    """40 runs at 90 %: fewer than 29 would be one chance in two thousand."""
    held = [
        low <= 0.4 <= high
        for seed in range(40)
        for low, high in [
            fit(LinearLaw(), drawn(seed + 100))
            .bootstrap(200, key=jax.random.key(seed))
            .intervals()["rate"]
        ]
    ]
    assert sum(held) >= 29


def test_impossible_requests_are_refused(result):
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        result.bootstrap(0, key=jax.random.key(0))
    few = result.bootstrap(5, key=jax.random.key(0))
    with pytest.raises(ValueError, match="5 refits are too few"):
        few.intervals()
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        result.bootstrap(20, key=jax.random.key(0)).intervals(1.5)


def test_accuracies_are_drawn_and_reported_as_accuracies():
    counts = np.random.default_rng(0).binomial(200, 0.9 - 0.5 * np.exp(-0.4 * TS)) / 200
    run = Trajectory(TS, counts, kind="accuracy", num_items=200)
    result = fit(LinearLaw(), run)
    found = result.bootstrap(100, key=jax.random.key(0))
    low, high = found.intervals()["limit solver"]
    assert low < result.limits["solver"].estimate < high
    assert "ratio" not in found.samples


def test_an_accuracy_s_limit_is_none_above_1_in_draws_either():
    rising = 1 - 0.5 * np.exp(-0.8 * TS)
    counts = np.random.default_rng(0).binomial(20, rising) / 20
    result = fit(LinearLaw(), Trajectory(TS, counts, kind="accuracy", num_items=20))
    low, high = result.bootstrap(100, key=jax.random.key(0)).intervals()["limit solver"]
    assert 0.9 < low < high == 1


@pytest.mark.slow
def test_heavy_tails_are_drawn_with_heavy_tails():
    noise = 0.02 * np.random.default_rng(3).standard_t(4, (2, 16))
    decay = np.exp(-0.4 * TS)
    run = Trajectory(TS, 0.5 + decay + noise[0], 0.3 + 0.4 * decay + noise[1])
    result = fit(LinearLaw(), run, noise=StudentT())
    found = result.bootstrap(400, key=jax.random.key(0))
    spread = found.samples["rate"].std() / result.parameters["rate"].stderr
    assert 0.7 < spread < 1.5
