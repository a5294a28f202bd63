"""The seeds of one experiment together, among them one for which the law fails."""

import dataclasses

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit_many
from jaxgap.report.overlay import PooledLimit
from jaxgap.trajectory import Trajectory
from jaxgap.workflows.pooled import pool_group

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def results():
    ts, decay = np.arange(14.0), np.exp(-0.4 * np.arange(14.0))
    noise = 0.02 * np.random.default_rng(0).standard_normal((3, 2, 14))
    return fit_many(
        LinearLaw(), [Trajectory(ts, 1 + 2 * decay + n, 0.8 + decay + m) for n, m in noise]
    )


def test_a_seed_whose_fit_failed_withholds_every_number(results):
    failed = dataclasses.replace(results[1], converged=False, stopped="failed: no start")
    group = pool_group("x", NAMES, [results[0], failed, results[2]], 0.9)
    for number in group.numbers.values():
        assert (number.mean, number.runs) == (None, {})
        assert number.failed == {"b": "its fit failed: no start"}
        assert (
            number.reason
            == "withheld, as the law fails for 1 of 3 runs: b: its fit failed: no start"
        )


def test_seeds_that_the_law_fits_are_pooled_and_none_is_missing(results):
    group = pool_group("x", NAMES, results, 0.9)
    for number in group.numbers.values():
        assert set(number.runs) == set(NAMES)
        assert (number.failed, number.left_out, number.reason) == ({}, {}, None)
    low, high = group.to_dict()["limit"]["mean"]["interval"]
    assert low < 1 < high


def seeds_about(limits, noise):
    ts = np.arange(12.0)
    drawn = noise * np.random.default_rng(2).standard_normal((len(limits), 12))
    runs = [
        Trajectory(ts, limit + 3 * np.exp(-0.35 * ts) + each)
        for limit, each in zip(limits, drawn, strict=True)
    ]
    return pool_group("x", tuple("abcd"[: len(limits)]), fit_many(LinearLaw(), runs), 0.9)


def test_seeds_that_disagree_have_a_mean_within_the_range_of_all_of_them():
    """Each falls by 3, but the interval of the mean is wider."""
    limit = seeds_about((1.0, 2.0, 4.0), 0.03).numbers["limit"]
    assert limit.reason is None
    assert 3 < limit.mean.high - limit.mean.low < 6
    assert limit.spread.estimate == pytest.approx(np.std([1.0, 2.0, 4.0], ddof=1), rel=0.05)


def test_a_mean_that_is_too_uncertain_leaves_the_spread():
    limit = seeds_about((1.0, 5.0), 0.03).numbers["limit"]
    assert (limit.mean, limit.next_run, limit.runs) == (None, None, {})
    assert "wider than the whole range observed, " in limit.reason
    assert limit.spread.low < np.std([1.0, 5.0], ddof=1) < limit.spread.high


@pytest.mark.parametrize(("factor", "num_warnings"), [(9.0, 0), (100.0, 1)])
def test_seeds_over_epochs_and_over_steps_are_not_pooled_in_silence(factor, num_warnings):
    ts = np.arange(12.0)
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 12))
    runs = [
        Trajectory(unit * ts, 1 + np.exp(-0.4 * ts) + each)
        for unit, each in zip((1.0, factor), noise, strict=True)
    ]
    group = pool_group("x", "ab", fit_many(LinearLaw(), runs), 0.9)
    assert len(group.warnings) == num_warnings
    assert group.to_dict()["warnings"] == list(group.warnings)
    if num_warnings:
        assert "lasts 11" in group.warnings[0]


@pytest.mark.slow
def test_a_run_that_is_open_carries_no_mean_away():
    """Of limits that two runs bound and others do not: the mean may lie anywhere below."""
    ts, decay = np.linspace(0.0, 3.0, 8), np.exp(-0.4 * np.linspace(0.0, 3.0, 8))
    noise = 0.05 * np.random.default_rng(3).standard_normal((40, 4, 2, 8))
    runs = [
        Trajectory(ts, 1 + decay + n, 0.6 + 0.4 * decay + m) for n, m in noise.reshape(160, 2, 8)
    ]
    fits = fit_many(LinearLaw(), runs)
    groups = [pool_group("x", "abcd", fits[first : first + 4], 0.9) for first in range(0, 160, 4)]
    limits = [group.numbers["limit"] for group in groups]
    assert {reason for limit in limits if (reason := limit.reason) and "wider" in reason}
    for group in groups:
        for label, most in (("limit", 1.5), ("rate", 1e3)):
            mean = group.numbers[label].mean
            if mean is not None:
                assert mean.estimate > 1e-3
                assert (mean.high - mean.low if label == "limit" else mean.high / mean.low) < most


def test_accuracies_are_pooled_within_what_they_can_be():
    ts = np.arange(10.0)
    rng = np.random.default_rng(0)
    rising = 1 - 0.5 * np.exp(-0.8 * ts)
    runs = [
        Trajectory(ts, rng.binomial(20, rising) / 20, kind="accuracy", num_items=20) for _ in NAMES
    ]
    limit = pool_group("x", NAMES, fit_many(LinearLaw(), runs), 0.9).numbers["limit"]
    for found in (limit.mean, limit.next_run, *limit.runs.values()):
        assert 0.9 < found.low < found.estimate <= found.high <= 1
    # Without a bound the spread of the seeds goes beyond.
    assert limit.next_run.high == 1


def test_a_picture_says_how_many_seeds_are_pooled_or_why_none():
    assert PooledLimit(None, None, 5, 2, 0).absence == "withheld: the law fails for 2 of 5"
    assert PooledLimit(None, None, 5, 0, 0).absence == "not determined by these seeds"
    assert PooledLimit(None, None, 5, 0, 1).label == "4 of 5 pooled"
    assert PooledLimit(None, None, 5, 0, 0).label == "pooled"


def test_the_unit_of_time_does_not_matter():
    """In tokens or nanoseconds rates are 1e-13 and less."""
    ts, rng = np.arange(12.0), np.random.default_rng(0)
    solvers = [1 + 2 * np.exp(-0.4 * ts) + 0.02 * rng.standard_normal(12) for _ in range(4)]
    rates = []
    for unit in (1.0, 1e13):
        fits = fit_many(LinearLaw(), [Trajectory(unit * ts, solver) for solver in solvers])
        pooled = pool_group("x", ("a", "b", "c", "d"), fits, 0.9).numbers["rate"]
        mean = pooled.mean
        rates.append([unit * number for number in (mean.low, mean.estimate, mean.high)])
    np.testing.assert_allclose(rates[1], rates[0], rtol=1e-5)
