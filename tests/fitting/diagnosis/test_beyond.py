"""Limits that a run has already passed: withheld, and hardly ever so where the law holds."""

import numpy as np
import pytest
from scipy.stats import linregress

from jaxgap.fitting import LinearLaw, fit, fit_many
from jaxgap.fitting.diagnosis.beyond import Level, is_beyond, level_at_end
from jaxgap.report.words import theory_sentence
from jaxgap.trajectory import Trajectory, read_csv


def creeping_run(kind="uncertainty"):
    """What goes on slowly after an early gain, as the law's exponential cannot."""
    t = np.arange(40.0)
    gained = 1 - (1 + 2 * t) ** -0.35 + 0.004 * np.random.default_rng(0).standard_normal(40)
    return Trajectory(t, gained if kind == "accuracy" else 1 - gained, kind=kind)


def lawful_runs(num_runs, num_rows, duration):
    rng = np.random.default_rng(num_rows)
    t = np.linspace(0, duration, num_rows)
    curves = np.stack([1 + 2 * np.exp(-t), 0.6 + 0.9 * np.exp(-t)])
    noise = 0.05 * rng.standard_normal((num_runs, 2, num_rows))
    return [Trajectory(t, *(curves + each)) for each in noise]


def lawful_accuracies(num_runs, num_rows, num_items):
    rng = np.random.default_rng(num_rows)
    t = np.linspace(0, 8, num_rows)
    counts = rng.binomial(num_items, 0.9 - 0.6 * np.exp(-t), (num_runs, num_rows))
    return [
        Trajectory(t, each / num_items, kind="accuracy", num_items=num_items) for each in counts
    ]


@pytest.mark.parametrize(
    "runs",
    [
        lawful_runs(400, 8, 4.0),
        pytest.param(lawful_runs(400, 20, 8.0), marks=pytest.mark.slow),
        pytest.param(lawful_runs(400, 50, 20.0), marks=pytest.mark.slow),
        lawful_accuracies(400, 15, 200),
    ],
    ids=["8 rows", "20 rows", "50 rows", "accuracies"],
)
def test_hardly_a_run_that_follows_the_law_is_said_to_be_beyond_its_limit(runs):
    limits = [result.limits for result in fit_many(LinearLaw(), runs)]
    refuted = [any(v.identifiability == "refuted" for v in each.values()) for each in limits]
    assert np.mean(refuted) < 0.02
    held = [each["solver"].estimate is not None for each in limits]
    assert np.mean(held) > 0.9


@pytest.mark.parametrize("kind", ["uncertainty", "accuracy"])
def test_a_run_that_creeps_past_its_limit_is_reported_wherever_its_limit_would_stand(kind):
    result = fit(LinearLaw(), creeping_run(kind))
    limit = result.limits["solver"]
    assert limit.identifiability == "refuted"
    assert (limit.estimate, limit.stderr, limit.interval) == (None, None, None)
    assert "the solver is already beyond the law's limit" in limit.reason
    assert limit.reason in result.warnings
    assert f"The solver's limit cannot be given: {limit.reason}." in result.report()
    assert result.to_dict()["limits"]["solver"] == limit.to_dict()
    assert "does not describe this run" in theory_sentence(result)


@pytest.mark.parametrize(
    ("name", "kind", "series"),
    [
        ("grpo/off_policy_full_e1_tb128_ga32", "accuracy", "solver"),
        ("grpo/std_dev", "accuracy", "solver"),
        ("grpo/reinforce_baseline", "accuracy", "solver"),
        ("grpo/lr_sweep_3e-5", "accuracy", "solver"),
        ("grpo/len_norm_mean", "accuracy", "solver"),
        ("sun2025_fig4/phi4mini_gsm8k_qe", "uncertainty", "verifier"),
        ("sun2025_fig4/phi4mini_math_qe", "uncertainty", "verifier"),
    ],
)
def test_published_runs_beyond_the_linear_laws_limit(shared_data, name, kind, series):
    run = read_csv(
        shared_data / f"{name}.csv", kind=kind, num_items=1024 if kind == "accuracy" else None
    )
    assert fit(LinearLaw(), run).limits[series].identifiability == "refuted"


def test_the_level_is_that_of_a_straight_line_through_the_second_half():
    """Against SciPy, on noise without a positive autocorrelation, of which none is allowed for."""
    t = np.arange(20.0)
    measured = 0.3 + 0.02 * t + 0.01 * (-1.0) ** t
    level = level_at_end(measured, np.zeros(20))
    line = linregress(t[10:], measured[10:])
    value = line.intercept + line.slope * 19
    # The variance of a line at x: that at the mean, and that of the slope.
    scatter = measured[10:] - line.intercept - line.slope * t[10:]
    at_mean = scatter @ scatter / 8 / 10
    stderr = np.sqrt(at_mean + (line.stderr * 4.5) ** 2)
    np.testing.assert_allclose(level, (value, stderr, 8), rtol=1e-9)


def test_the_levels_error_is_as_large_as_its_scatter_even_if_that_is_autocorrelated():
    rng = np.random.default_rng(0)
    t, off = np.arange(60.0), []
    for _ in range(400):
        noise = rng.standard_normal(60)
        for row in range(1, 60):
            noise[row] = 0.5 * noise[row - 1] + np.sqrt(0.75) * noise[row]
        level = level_at_end(0.1 * t + noise, np.zeros(60))
        off.append((level.value - 5.9) / level.stderr)
    assert 0.8 < np.std(off) < 1.4


def test_errors_as_given_are_the_least():
    t = np.arange(12.0)
    measured = 0.001 * np.random.default_rng(0).standard_normal(12)
    known = level_at_end(measured, np.zeros(12), np.full(12, 0.1))
    design = np.stack([np.ones(6), t[6:]], axis=1)
    covariance = 0.1**2 * np.linalg.inv(design.T @ design)
    assert known.stderr == pytest.approx(np.sqrt(design[-1] @ covariance @ design[-1]))
    assert level_at_end(measured, np.zeros(12)).stderr < 0.01


def test_long_and_short_series():
    assert level_at_end(np.zeros(6), np.zeros(6)) is None
    rng = np.random.default_rng(0)
    level = level_at_end(1 + rng.standard_normal(100_000), np.zeros(100_000), np.ones(100_000))
    assert level.value == pytest.approx(1.0, abs=5 * level.stderr)
    assert level.stderr == pytest.approx(2 / np.sqrt(50_000), rel=0.3)


@pytest.mark.parametrize(("value", "beyond"), [(0.5, False), (0.39, False), (0.3, True)])
def test_beyond_is_past_the_far_end_by_more_than_chance(value, beyond):
    level = Level(value, 0.02, 10)
    assert is_beyond(level, (0.4, 0.45), from_above=True) == beyond
    mirrored = Level(-value, 0.02, 10)
    assert is_beyond(mirrored, (-0.45, -0.4), from_above=False) == beyond


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e3, 7.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_curve_that_arrived_long_ago_is_beyond_its_limit_in_no_unit_of_time(seed, unit):
    """It came from above and climbs again, so it stands on the side that it came from."""
    rng = np.random.default_rng(seed)
    t = np.arange(24.0)
    shape = 5 * np.exp(-2.5 * t) + 0.06 * np.maximum(t - 12, 0)
    solver, verifier = (level + shape + 0.02 * rng.standard_normal(24) for level in (3, 2))
    result = fit(LinearLaw(), Trajectory(t * unit, solver, verifier))
    assert [limit.identifiability for limit in result.limits.values()] == ["identifiable"] * 3
