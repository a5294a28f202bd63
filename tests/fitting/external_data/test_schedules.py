"""Schedules: the budget is kept, and the best is the best that a grid can find."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.dynamics import (
    AbstractPotential,
    DriftingRatioCoupling,
    GapDynamics,
    InjectedDynamics,
    LaggedPotential,
    LinearPotential,
    RankOneCoupling,
    RiseThenFallDynamics,
    SaturatingPotential,
)
from jaxgap.errors import InputError
from jaxgap.fitting import DriftingRatioLaw, LaggedLaw, LinearLaw, fit
from jaxgap.fitting.external_data.best_schedule import _blocks, best_schedule
from jaxgap.fitting.external_data.schedule import DataSchedule
from jaxgap.fitting.external_data.schedule_outcomes import compare_schedules
from jaxgap.fitting.external_data.under_schedule import invalid_reason, limit_slopes
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.trajectory import Trajectory

SOLVER_BEYOND = "the solver's limit is beyond perfect (no uncertainty, no errors)"
VERIFIER_BEYOND = "the verifier goes beyond perfect (no uncertainty, no errors)"


class Tanh(AbstractPotential):
    """A potential of one's own, without a closed form."""

    rate: float
    gap_limit: float

    def closing_speed(self, gap, gap_initial):
        return self.rate * jnp.tanh(gap - self.gap_limit)


# In each the best is elsewhere: all at once, spread evenly, and between.
LAWS = {
    "early": GapDynamics(LinearPotential(0.35, 0.04), RankOneCoupling(0.4), 0.96, 0.40),
    "even": GapDynamics(LinearPotential(0.35, 0.0), RankOneCoupling(0.0), 1.4, 0.7),
    "between": GapDynamics(LinearPotential(0.2, 0.0), RankOneCoupling(0.12), 1.5, 1.0),
}


@settings(deadline=None, max_examples=50)
@given(num=st.integers(1, 9), first=st.floats(0, 1e3), step=st.floats(0.01, 10))
def test_every_schedule_spends_the_budget(num, first, step):
    times = first + step * np.arange(num)
    for schedule in (
        DataSchedule.early(times),
        DataSchedule.uniform(times),
        DataSchedule.late(times),
    ):
        assert schedule.shares.sum() == pytest.approx(1, abs=1e-12)
        assert (schedule.shares >= 0).all()
    assert DataSchedule.early(times).shares[0] == DataSchedule.late(times).shares[-1] == 1


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("times", [[0.0, 3.0], [0.0, 1.0, 4.0]])
def test_best_is_best_on_a_grid(name, times):
    law, strength, num = LAWS[name], 0.8, 20
    found = best_schedule(law, strength, times)
    assert found.schedule.shares.sum() == pytest.approx(1, abs=1e-12)
    assert 0 <= found.slack + 1e-12 < 1e-5
    grid = itertools.product(range(num + 1), repeat=len(times))
    shares = [np.array(each) / num for each in grid if sum(each) == num]
    limits = [limit_slopes(law, DataSchedule("x", times, each), strength).limit for each in shares]
    best = int(np.argmin(limits))
    assert found.slopes.limit <= limits[best] + 1e-12
    np.testing.assert_allclose(found.schedule.shares, shares[best], atol=1.5 / num)


def test_the_laws_above_are_as_they_are_called():
    times = [0.0, 1.0, 4.0]
    best = {name: best_schedule(law, 0.8, times).schedule.shares for name, law in LAWS.items()}
    np.testing.assert_allclose(best["early"], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(best["even"], [1 / 3] * 3, atol=1e-4)
    assert 1e-2 < best["between"][1] < best["between"][0] < 1 - 1e-2


def stays_at_or_above_zero(law, schedule, strength):
    """By the curves themselves, close to each other and far beyond the last round."""
    run = InjectedDynamics(law, schedule.external(strength))
    ts = np.concatenate([np.linspace(0, schedule.times[-1] + 1, 200), [1e3]])
    return bool((np.asarray(run.closed_form(ts)) >= -1e-6).all())


# Strengths at which the lowest limit is beyond the model, and some other is not.
@pytest.mark.parametrize(
    ("name", "gap_limit", "strength"),
    [
        ("early", 0.2, 0.4),
        pytest.param("early", 0.2, 0.6, marks=pytest.mark.slow),
        pytest.param("between", 0.2, 4.0, marks=pytest.mark.slow),
        ("between", 0.0, 4.0),
    ],
)
def test_best_is_the_best_within_the_model(name, gap_limit, strength):
    times, num = [0.0, 1.0, 4.0], 20
    law = dataclasses.replace(LAWS[name], potential=LinearPotential(0.3, gap_limit))
    found = best_schedule(law, strength, times)
    assert found.valid
    assert found.reason in (VERIFIER_BEYOND, SOLVER_BEYOND)
    assert invalid_reason(law, found.schedule, strength) is None
    assert stays_at_or_above_zero(law, found.schedule, strength)
    assert not stays_at_or_above_zero(law, found.lowest, strength)
    assert limit_slopes(law, found.lowest, strength).limit < found.slopes.limit
    assert 0 <= found.slack < 1e-5
    grid = itertools.product(range(num + 1), repeat=3)
    shares = [np.array(each) / num for each in grid if sum(each) == num]
    schedules = [DataSchedule("x", times, each) for each in shares]
    valid = [each for each in schedules if stays_at_or_above_zero(law, each, strength)]
    assert 0 < len(valid) < len(schedules)
    least = min(limit_slopes(law, each, strength).limit for each in valid)
    assert found.slopes.limit <= least + 1e-5


def test_where_no_schedule_is_within_the_model_it_is_said():
    law, times = LAWS["early"], [0.0, 1.0, 4.0]
    found = best_schedule(law, 50.0, times)
    assert not found.valid
    assert found.reason == SOLVER_BEYOND
    rng = np.random.default_rng(0)
    for shares in [*np.eye(3), *rng.dirichlet(np.full(3, 0.3), 30)]:
        assert invalid_reason(law, DataSchedule("x", times, shares), 50.0) is not None


def by_hand(law, times, shares, strength):
    """The solver's limit under a linear law, and the least that either capability falls to."""
    rate, gap_limit, ratio = law.potential.rate, law.potential.gap_limit, law.coupling.ratio
    solver, verifier, now, least = law.solver_initial, law.verifier_initial, law.t0, np.inf
    for t, share in [*zip(times, shares, strict=True), (np.inf, 0.0)]:
        gone = (solver - verifier - gap_limit) * -np.expm1(-rate * (t - now)) / (1 - ratio)
        solver, verifier, now = solver - gone, verifier - ratio * gone, t
        least = min(least, solver, verifier)
        verifier /= 1 + strength * share
    return solver, least


def simplex(num, parts):
    grid = itertools.product(range(parts + 1), repeat=num)
    return [np.array(each) / parts for each in grid if sum(each) == parts]


FAST = GapDynamics(LinearPotential(1.2, 0.05), RankOneCoupling(0.4), 1.0, 0.5)


@pytest.mark.parametrize("strength", [1.6, 1.8])
def test_a_schedule_within_the_model_is_found_where_no_start_is_one(strength):
    times = [0.0, 4.0, 5.0, 6.0]
    found = best_schedule(FAST, strength, times)
    assert found.valid
    limit, least = by_hand(FAST, times, found.schedule.shares, strength)
    assert least >= 0
    assert found.slopes.limit == pytest.approx(limit, abs=1e-9)
    assert limit == pytest.approx(0.05, abs=1e-6)
    all_of_them = [by_hand(FAST, times, each, strength) for each in simplex(4, 20)]
    assert 0 < np.mean([least >= 0 for _, least in all_of_them]) < 1


@pytest.mark.parametrize("strength", [2.3, 4.0])
def test_none_is_found_where_none_is_within_the_model(strength):
    """Also where some leave it on the way and end above the lowest limit that it allows."""
    times = np.array([0.0, 2.0, 20.0])
    law = LAWS["early"]
    assert not best_schedule(law, strength, times).valid
    all_of_them = [by_hand(law, times, each, strength) for each in simplex(3, 60)]
    assert max(least for _, least in all_of_them) < 0
    assert max(limit for limit, _ in all_of_them) > law.potential.gap_limit


def test_a_minimum_in_the_middle_does_not_hide_a_lower_one():
    law = GapDynamics(SaturatingPotential(1.79, 0.174, 38.5), RankOneCoupling(0.081), 1.957, 1.52)
    times, strength = np.array([1.0, 5.25, 6.61, 9.19]), 6.31
    found = best_schedule(law, strength, times)
    limits = [
        limit_slopes(law, DataSchedule("x", times, each), strength).limit for each in simplex(4, 12)
    ]
    assert found.slopes.limit <= min(limits)
    assert found.slopes.limit < 0.184
    uniform = limit_slopes(law, DataSchedule.uniform(times), strength)
    assert uniform.limit > 0.192
    assert np.ptp(uniform.by_shares) < 1e-3


LAGGED = GapDynamics(LaggedPotential(0.6, 0.2, 0.95), RankOneCoupling(0.4), 2.33, 1.33)


def test_best_stops_no_law():
    times, num = [0.0, 4.0, 8.0], 10
    found = best_schedule(LAGGED, 0.1, times)
    assert found.valid
    assert invalid_reason(LAGGED, found.schedule, 0.1) is None
    with double_precision():
        far = InjectedDynamics(LAGGED, found.schedule.external(0.1)).closed_form(np.array([1e4]))
    assert far[0, 0] == pytest.approx(found.slopes.limit, rel=1e-6)
    grid = itertools.product(range(num + 1), repeat=3)
    shares = [np.array(each) / num for each in grid if sum(each) == num]
    schedules = [DataSchedule("x", times, each) for each in shares]
    moving = [each for each in schedules if invalid_reason(LAGGED, each, 0.1) is None]
    assert 0 < len(moving) < len(schedules)
    least = min(limit_slopes(LAGGED, each, 0.1).limit for each in moving)
    assert found.slopes.limit <= least + 1e-6


def test_a_lowest_limit_below_zero_is_left_for_a_schedule_that_stops_no_law():
    found = best_schedule(LAGGED, 1.0, [0.0, 1.0, 4.0, 8.0])
    assert found.reason in (VERIFIER_BEYOND, SOLVER_BEYOND)
    assert found.valid
    assert invalid_reason(LAGGED, found.schedule, 1.0) is None


def test_numbers_of_a_schedule_that_stops_the_law_are_withheld():
    t = np.arange(20.0)
    rng = np.random.default_rng(0)
    with double_precision():
        curves = np.asarray(LAGGED.closed_form(t))
    noisy = curves + 0.01 * rng.standard_normal(curves.shape)
    rounds = [0.0, 4.0, 8.0]
    early, late = compare_schedules(
        fit(LaggedLaw(), Trajectory(t, *noisy.T)),
        [DataSchedule.early(rounds), DataSchedule.late(rounds)],
        0.1,
    )
    assert "stands still" in early.invalid
    assert "stands still" in early.limit.reason
    assert early.limit.estimate is early.improvement.estimate is None
    assert early.to_dict()["valid"] is False
    assert late.invalid is None
    assert late.improvement.estimate > 0.1


def test_limits_come_with_the_fits_intervals():
    ts = np.arange(14.0)
    noise = np.random.default_rng(3).normal(0, 0.01, (2, 14))
    decay = np.exp(-0.4 * ts)
    run = Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1])
    result = fit(LinearLaw(), run)
    rounds = [0.0, 5.0]
    early, late = compare_schedules(
        result, [DataSchedule.early(rounds), DataSchedule.late(rounds)], 0.1
    )
    assert early.improvement.estimate > late.improvement.estimate > 0
    # The truth: G_inf .2, and all of gamma / (1 + gamma) U_v(0) taken from the first.
    truth = 1 - (0.1 / 1.1) * 2.0 / 0.6
    low, high = early.limit.interval
    assert low < truth < high
    plain = result.limits["solver"]
    assert high - low == pytest.approx(np.ptp(plain.interval), rel=0.5)
    assert early.limit.estimate == pytest.approx(early.proposition_5_1.estimate, rel=1e-12)
    assert early.invalid is None


@pytest.mark.parametrize(
    ("rounds", "strength", "message"),
    [
        ([[0.0, 5.0]], -0.1, "strength must be finite and not negative, got -0.1"),
        ([[0.0, 5.0]], float("nan"), "strength must be finite and not negative, got nan"),
        ([[0.0, 5.0]], float("inf"), "strength must be finite and not negative, got inf"),
        ([], 0.1, "there must be schedules, over the same number of rounds, got none"),
        ([[0.0, 5.0], [0.0, 4.0, 5.0]], 0.1, "the same number of rounds, got 2, 3"),
    ],
)
def test_what_cannot_be_compared_is_refused(fits, rounds, strength, message):
    with pytest.raises(InputError, match=message):
        compare_schedules(fits[0], [DataSchedule.early(each) for each in rounds], strength)


@pytest.mark.parametrize("num", [4, 100, 3000])
def test_starts_of_equal_shares_are_no_more_than_for_a_hundred_rounds(num):
    blocks = np.stack(_blocks(num))
    some = min(num, 100)
    assert len(blocks) == some * (some + 1) // 2 - 3
    assert blocks.sum(1) == pytest.approx(1)
    assert blocks[:, 0].any()
    assert blocks[:, -1].any()


def test_without_strength_nothing_improves(fits):
    rounds = [0.0, 5.0]
    found = compare_schedules(fits[0], [DataSchedule.early(rounds), DataSchedule.late(rounds)], 0.0)
    for outcome in found:
        assert (outcome.improvement.estimate, outcome.improvement.interval) == (0.0, (0.0, 0.0))
        plain = fits[0].limits["solver"]
        assert outcome.limit.interval == pytest.approx(plain.interval, rel=1e-6)


def test_outside_the_model_an_improvement_needs_a_limit():
    ts = np.arange(5.0)
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 5))
    decay = np.exp(-0.1 * ts)
    run = Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1])
    (early,) = compare_schedules(fit(LinearLaw(), run), [DataSchedule.early([0.0, 3.0])], 0.5)
    assert early.invalid == SOLVER_BEYOND
    assert not early.is_determined
    assert early.to_dict()["valid"] is None
    assert "wider than the whole range observed" in early.limit.reason
    assert early.improvement == Estimate.absent(early.limit.reason)


def test_numbers_outside_the_model_are_withheld_with_the_reason(fits):
    rounds = [0.0, 5.0]
    early, late = compare_schedules(
        fits[0], [DataSchedule.early(rounds), DataSchedule.late(rounds)], strength=0.6
    )
    assert (early.invalid, late.invalid) == (
        SOLVER_BEYOND,
        None,
    )
    assert late.limit.estimate > 0
    # The proposition takes all of it to be spent at the first time.
    for number in (early.limit, early.improvement, early.proposition_5_1, late.proposition_5_1):
        assert (number.estimate, number.interval) == (None, None)
        assert number.reason == f"the model is not valid: {SOLVER_BEYOND}"
    form = early.to_dict()
    assert (form["valid"], form["limit_by_gamma"], form["limit_by_shares"]) == (False, None, None)


@pytest.fixture(scope="module", name="fits")
def _fits():
    """Of runs that hold their limits more and less."""
    ts, found = np.arange(14.0), []
    for rate, scale in [(0.4, 0.01), (0.25, 0.3), (0.02, 0.01), (0.02, 0.1), (0.05, 0.1)]:
        noise = np.random.default_rng(1).normal(0, scale, (2, 14))
        decay = np.exp(-rate * ts)
        run = Trajectory(ts, 1 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1])
        found.append(fit(LinearLaw(), run))
    return found


def test_next_to_no_data_leave_the_limit_as_the_fit_has_it(fits):
    both = [DataSchedule.early([0.0, 5.0]), DataSchedule.late([0.0, 5.0])]
    kinds = []
    for result in fits:
        plain = result.limits["solver"]
        kinds.append(plain.reason and plain.reason.split(":")[0])
        for outcome in compare_schedules(result, both, 1e-9):
            for limit in (outcome.limit, outcome.proposition_5_1):
                assert limit.identifiability == plain.identifiability
                assert limit.reason == plain.reason
                assert limit.estimate == (plain.estimate and pytest.approx(plain.estimate))
    assert kinds[0] is None
    assert any(kind and "do not bound it" in kind for kind in kinds)
    assert any(kind and "wider than the whole" in kind for kind in kinds)


def test_ends_are_open_where_those_of_the_fit_are():
    """A curve at 1000 that moves by about 1, slowly: its limit may be far below, not at zero."""
    ts = np.arange(14.0)
    noise = np.random.default_rng(1).normal(0, 0.1, (2, 14))
    decay = np.exp(-0.02 * ts)
    run = Trajectory(ts, 1000 + 3 * decay + noise[0], 0.8 + 1.2 * decay + noise[1])
    result = fit(LinearLaw(), run)
    plain = result.limits["solver"]
    assert plain.interval[0] is None
    limit = compare_schedules(result, [DataSchedule.early([0.0, 5.0])], 1e-9)[0].limit
    assert limit.interval == (None, pytest.approx(plain.interval[1], abs=1e-6))
    assert limit.reason == plain.reason


def test_accuracies_keep_what_is_said_of_their_limits(fits):
    both = [DataSchedule.early([0.0, 5.0]), DataSchedule.late([0.0, 5.0])]
    errors = compare_schedules(fits[3], both, 0.1)[0].limit
    accuracies = compare_schedules(dataclasses.replace(fits[3], kind="accuracy"), both, 0.1)[0]
    assert accuracies.limit.identifiability == errors.identifiability
    assert accuracies.limit.identifiability == "practically unidentifiable"
    assert accuracies.limit.interval[1] is None


def test_accuracies_end_at_one():
    ts = np.arange(14.0)
    noise = np.random.default_rng(3).normal(0, 0.003, (2, 14))
    decay = np.exp(-0.4 * ts)
    run = Trajectory(
        ts, 0.9 - 0.4 * decay + noise[0], 0.9 - 0.16 * decay + noise[1], kind="accuracy"
    )
    (early,) = compare_schedules(fit(LinearLaw(), run), [DataSchedule.early([0.0, 5.0])], 0.28)
    low, high = early.limit.interval
    assert 0.9 < low < early.limit.estimate < high
    assert high == 1.0


def test_no_limits_without_an_interval(fits):
    both = [DataSchedule.early([0.0, 5.0]), DataSchedule.late([0.0, 5.0])]
    silent = dataclasses.replace(fits[0].source, quantile=None)
    for outcome in compare_schedules(dataclasses.replace(fits[0], source=silent), both, 0.1):
        for number in (outcome.limit, outcome.proposition_5_1, outcome.improvement):
            assert number.estimate is None
            assert "nothing is left to estimate the noise from" in number.reason


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DataSchedule.given([1, 2], [0.5, 0.6]), "must sum to 1"),
        (lambda: DataSchedule.given([1, 2], [1.5, -0.5]), "must not be negative"),
        (lambda: DataSchedule.given([1, 2], [1.0]), "one share for each round"),
        (lambda: DataSchedule.given([1, 2], [np.nan, 1.0]), "must sum to 1"),
        (lambda: DataSchedule.uniform([]), "one share for each round"),
        (lambda: DataSchedule.early([2, 2]), "must be finite and increase"),
        (lambda: best_schedule(LAWS["early"], 0.1, [-1.0, 2.0]), "first time 0, got -1"),
        (lambda: best_schedule(LAWS["early"], np.nan, [0, 1]), "strength must be .* got nan"),
        (lambda: best_schedule(LAWS["early"], -1.0, [0, 1]), "strength must be .* got -1"),
    ],
)
def test_misuse_is_refused(make, said):
    with pytest.raises(InputError, match=said):
        make()


DRIFTING = dataclasses.replace(LAWS["early"], coupling=DriftingRatioCoupling(0.6, -0.5))
WITHOUT_GAP = RiseThenFallDynamics(RankOneCoupling(0.4), 1.0, 0.1, 0.1, 0.5, 3.0, 1.2)
BOTH = DataSchedule.uniform([0, 1])
WITHOUT_FORM = dataclasses.replace(LAWS["early"], potential=Tanh(0.3, 0.0))


@pytest.mark.parametrize(
    ("law", "said"),
    [
        (DRIFTING, "GapDynamics with a RankOneCoupling, got DriftingRatioCoupling"),
        (WITHOUT_GAP, "GapDynamics with a RankOneCoupling, got RiseThenFallDynamics"),
        (WITHOUT_FORM, "Tanh has no closed form"),
    ],
)
def test_laws_without_a_formula_are_refused(law, said):
    for ask in (
        lambda: best_schedule(law, 0.1, [0, 1]),
        lambda: limit_slopes(law, BOTH, 0.1),
        lambda: invalid_reason(law, BOTH, 0.1),
    ):
        with pytest.raises(ValueError, match=said):
            ask()


def test_a_fitted_ratio_that_drifts_is_refused():
    ts, decay = np.arange(14.0), np.exp(-0.4 * np.arange(14.0))
    run = Trajectory(ts, 1 + 3 * decay, 0.8 + 1.2 * decay**1.2)
    with pytest.raises(InputError, match="drifting_ratio law has no constant ratio"):
        compare_schedules(fit(DriftingRatioLaw(), run), [BOTH], 0.1)
