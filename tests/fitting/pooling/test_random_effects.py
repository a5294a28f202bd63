"""Pooling against closed forms, numerical integration and simulated experiments."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from jaxgap.fitting.pooling import Profile, pool

ROOTS = np.linspace(-4.0, 4.0, 17)


def gaussian(mean, stderr):
    """The profile of a number that is known to be `mean` with a standard error."""
    return Profile(mean + stderr * ROOTS, ROOTS, False, False, np.inf)


def half_open(bound, scale):
    """A run that says its number is below `bound`, give or take, and no more."""
    roots = ROOTS[ROOTS >= -0.5]
    return Profile(bound + scale * roots, roots, True, False, np.inf)


def ends(interval):
    return [interval.low, interval.estimate, interval.high]


def test_runs_without_noise_give_students_interval():
    values = np.array([1.0, 1.3, 0.8, 1.1, 1.6])
    pooled = pool([gaussian(value, 1e-4) for value in values])
    mean, spread = values.mean(), values.std(ddof=1)
    t = stats.t.ppf([0.05, 0.5, 0.95], 4)
    np.testing.assert_allclose(ends(pooled.mean), mean + t * spread / 5**0.5, atol=4e-3)
    np.testing.assert_allclose(ends(pooled.next_run), mean + t * spread * 1.2**0.5, atol=4e-3)
    np.testing.assert_allclose([run.estimate for run in pooled.runs], values, atol=1e-3)


def test_the_spread_is_that_of_restricted_maximum_likelihood():
    values = np.array([0.2, 0.9, 0.5, 1.4, 0.1, 0.8])
    stderrs = np.array([0.1, 0.3, 0.2, 0.25, 0.15, 0.4])

    def minus_reml(tau):
        variances = stderrs**2 + tau**2
        weights = 1 / variances
        mean = weights @ values / weights.sum()
        squares = weights @ (values - mean) ** 2
        return 0.5 * (np.log(variances).sum() + np.log(weights.sum()) + squares)

    best = optimize.minimize_scalar(minus_reml, bounds=(1e-3, 3), method="bounded")
    level = best.fun + stats.chi2.ppf(0.9, 1) / 2
    expected = [
        optimize.brentq(lambda tau: minus_reml(tau) - level, 1e-3, best.x),
        best.x,
        optimize.brentq(lambda tau: minus_reml(tau) - level, best.x, 5),
    ]
    spread = pool([gaussian(*pair) for pair in zip(values, stderrs, strict=True)]).spread
    np.testing.assert_allclose(ends(spread), expected, rtol=0.01)


@pytest.mark.parametrize("num_runs", [3, 5, 10, 40])
@pytest.mark.parametrize("stderr", [0.1, 0.01, 1e-3, 1e-4, 1e-6])
def test_the_spread_of_precise_runs_is_that_of_their_values(num_runs, stderr):
    """With hardly any noise the likelihood of a small spread is next to nothing."""
    values = np.linspace(1.0, 2.5, num_runs)
    found = pool([gaussian(value, stderr) for value in values]).spread
    exact = np.sqrt(max(values.var(ddof=1) - stderr**2, 0.0))
    assert found.estimate == pytest.approx(exact, rel=0.02)
    assert found.low < exact < found.high


def test_runs_that_differ_no_more_than_their_noise_have_no_spread():
    rng = np.random.default_rng(0)
    num_without = 0
    for _ in range(20):
        stderrs = 0.1 * np.exp(rng.normal(0, 0.5, 4))
        values = stderrs * rng.normal(0, 1, 4)
        precisions = stderrs**-2.0
        deviations = values - precisions @ values / precisions.sum()
        # The slope of the restricted log-likelihood at zero, with respect to the squared spread.
        slope = (precisions**2 @ deviations**2) - (
            precisions.sum() - precisions @ precisions / precisions.sum()
        )
        spread = pool([gaussian(*pair) for pair in zip(values, stderrs, strict=True)]).spread
        assert slope > 0 or (spread.estimate, spread.low) == (0.0, 0.0)
        num_without += slope <= 0
    assert num_without > 5


def skewed(shift):
    """A profile with a long upper side, by its root on an uneven scale."""
    return Profile(shift + 0.2 * np.expm1(0.35 * ROOTS), ROOTS, False, False, np.inf)


def test_skewed_and_half_open_runs_against_numerical_integration():
    """The hierarchical likelihood by quadrature over numbers, means and spreads."""
    known = [(0.0, 1.0), (0.4, 1.0), (0.15, 1.0)]
    profiles = [skewed(shift) for shift, _ in known] + [half_open(0.3, 0.1)]

    def skewed_likelihood(x, shift):
        inside = 1 + (x - shift) / 0.2
        root = np.log(np.maximum(inside, 1e-300)) / 0.35
        return np.exp(-0.5 * np.clip(root, -40, 40) ** 2)

    def open_likelihood(x):
        return np.exp(-0.5 * np.maximum((x - 0.3) / 0.1, -0.5) ** 2)

    xs = np.linspace(-12, 12, 24001)
    likelihoods = [skewed_likelihood(xs, shift) for shift, _ in known] + [open_likelihood(xs)]
    widths = [(p.values[10] - p.values[6]) / 2 for p in profiles[:3]]
    means, spreads = np.linspace(-2.5, 3.0, 221), np.geomspace(0.01, 6, 160)
    posterior = np.empty((160, 221))
    for row, tau in enumerate(spreads):
        # Each run's integral over its number is a convolution with the normal density.
        kernel = stats.norm.pdf(xs, 0, tau)
        smoothed = [
            np.interp(means, xs, integrate_against(kernel, values, xs)) for values in likelihoods
        ]
        prior = tau * np.sqrt(sum((w**2 + tau**2) ** -2 for w in widths))
        posterior[row] = np.prod(smoothed, axis=0) * prior * tau
    by_mean = posterior.sum(0) / posterior.sum()
    expected = np.interp([0.05, 0.5, 0.95], np.cumsum(by_mean), means)
    np.testing.assert_allclose(ends(pool(profiles).mean), expected, atol=0.03)


def integrate_against(kernel, values, xs):
    """`integral of values(x) N(x; m, tau^2) dx` at every m of the grid, by Fourier transforms."""
    from scipy.signal import fftconvolve

    # What is flat to infinity goes on beyond the grid.
    padded = np.pad(values, len(xs) // 2, mode="edge")
    total = integrate.trapezoid(kernel, xs)
    return fftconvolve(padded, kernel, mode="valid") * (xs[1] - xs[0]) / total


def test_runs_borrow_strength_and_a_half_open_one_the_most():
    profiles = [gaussian(1.0, 0.05), gaussian(1.1, 0.05), gaussian(0.95, 0.05), half_open(1.3, 0.1)]
    pooled = pool(profiles)
    assert pooled.runs[3].low > 0.5
    assert pooled.runs[3].estimate == pytest.approx(1.02, abs=0.05)
    alone = 2 * 1.645 * 0.05
    assert all(run.high - run.low < 1.1 * alone for run in pooled.runs[:3])


def test_shifting_and_scaling_the_data_shifts_and_scales_the_answer():
    values, stderrs = [0.3, 0.5, 0.1, 0.9], [0.1, 0.2, 0.1, 0.3]
    once = pool([gaussian(*pair) for pair in zip(values, stderrs, strict=True)])
    moved = pool([gaussian(7 + 1e3 * v, 1e3 * s) for v, s in zip(values, stderrs, strict=True)])
    for name in ("mean", "next_run"):
        expected = 7 + 1e3 * np.array(ends(getattr(once, name)))
        np.testing.assert_allclose(ends(getattr(moved, name)), expected, rtol=1e-6)
    np.testing.assert_allclose(ends(moved.spread), 1e3 * np.array(ends(once.spread)), rtol=1e-6)


def test_a_run_that_says_nothing_of_its_number_changes_nothing():
    profiles = [gaussian(1.0, 0.05), gaussian(1.1, 0.05), gaussian(0.95, 0.05)]
    silent = Profile(np.array([3.0]), np.array([0.0]), True, True, np.inf)
    without, pooled = pool(profiles), pool([*profiles, silent])
    for name in ("mean", "spread", "next_run"):
        expected = ends(getattr(without, name))
        np.testing.assert_allclose(ends(getattr(pooled, name)), expected, rtol=1e-6)
    # All that is known of it is what the next run would be, up to the width of the cells.
    width = pooled.next_run.high - pooled.next_run.low
    np.testing.assert_allclose(ends(pooled.runs[3]), ends(pooled.next_run), atol=0.1 * width)


def test_one_bounded_run_is_not_enough():
    with pytest.raises(ValueError, match="at least two must be bounded"):
        pool([gaussian(1.0, 0.1), half_open(1.0, 0.1)])


def coverage(num_experiments, num_runs, spread, key):
    """How often intervals hold the mean, the next run, the spread and the first run's number."""
    rng = np.random.default_rng(key)
    hits = np.zeros(4)
    for _ in range(num_experiments):
        numbers = spread * rng.normal(size=num_runs + 1)
        stderrs = 0.1 * np.exp(0.5 * rng.normal(size=num_runs))
        measured = numbers[:-1] + stderrs * rng.normal(size=num_runs)
        pooled = pool([gaussian(*pair) for pair in zip(measured, stderrs, strict=True)])
        truths = (0.0, numbers[-1], spread, numbers[0])
        intervals = (pooled.mean, pooled.next_run, pooled.spread, pooled.runs[0])
        hits += [i.low <= truth <= i.high for i, truth in zip(intervals, truths, strict=True)]
    return hits / num_experiments


def test_intervals_hold_the_truth_in_a_few_simulated_experiments():
    assert (coverage(24, 5, 0.3, key=0) >= 0.75).all()


@pytest.mark.slow
@pytest.mark.parametrize("num_runs", [3, 5, 10])
def test_intervals_cover_where_runs_differ_and_are_cautious_where_they_do_not(num_runs):
    apart = coverage(300, num_runs, 0.3, key=num_runs)
    assert (apart >= 0.84).all()
    assert (apart <= 0.98).all()
    same = coverage(200, num_runs, 0.0, key=100 + num_runs)
    assert (same >= 0.86).all()
