"""Parameters that are held, bounded, tied or known beforehand, and windows of times."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.stats import t as student_t

from jaxgap.fitting import (
    Bounded,
    EstimatedScale,
    Held,
    LinearLaw,
    LogNormal,
    Normal,
    Tied,
    fit,
    fit_many,
)
from jaxgap.fitting.results.report_sections import withheld, without_stderr
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)


def curves(rate, ratio, gap_limit, solver, verifier, ts=TS):
    fallen = -np.expm1(-rate * ts) * (solver - verifier - gap_limit) / (1 - ratio)
    return solver - fallen, verifier - ratio * fallen


@pytest.fixture(scope="module", name="run")
def _run():
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 14))
    solver, verifier = np.add(curves(0.4, 0.3, 0.05, 2.0, 1.2), noise)
    return Trajectory(TS, solver, verifier)


def residuals(run, p):
    return np.concatenate(np.subtract(curves(*p), [run.solver, run.verifier]))


def test_held_and_bounded_parameters_against_scipy(run):
    found = fit(LinearLaw(), run, constraints={"gap_limit": Held(0.0), "rate": Bounded(0.0, 0.3)})
    free = lambda p: residuals(run, [p[0], p[1], 0.0, p[2], p[3]])  # noqa: E731
    bounds = ([0, 0, -9, -9], [0.3, 1, 9, 9])
    scipy = least_squares(free, [0.2, 0.3, 2.0, 1.2], bounds=bounds, xtol=1e-14, ftol=1e-14)
    names = ["rate", "ratio", "solver_initial", "verifier_initial"]
    values = [found.parameters[name].estimate for name in names]
    np.testing.assert_allclose(values, scipy.x, rtol=1e-3)
    assert found.parameters["gap_limit"].estimate == 0.0
    assert "held at a given value" in found.parameters["gap_limit"].reason
    assert found.parameters["gap_limit"].identifiability == "held"
    assert not any("gap_limit" in line for line in withheld(found))
    assert not any("rate" in line for line in withheld(found))
    assert any(line.startswith("  rate: the estimate is on the") for line in without_stderr(found))
    assert found.limits["gap"].estimate == 0.0
    assert found.limits["solver"].estimate == pytest.approx(found.limits["verifier"].estimate)
    assert found.parameters["rate"].interval[1] <= 0.3
    assert any("rate is on its bound 0.3" in warning for warning in found.warnings)
    late = found.predict([1e3])
    np.testing.assert_allclose(late.gap.estimate, 0.0, atol=1e-9)


def test_free_parameters_without_effect_change_nothing(run):
    """Bounds far off leave the fit, its errors and its intervals as they were."""
    free = fit(LinearLaw(), run)
    found = fit(LinearLaw(), run, constraints={"ratio": Bounded(0.0, 0.9)})
    for name, estimate in free.parameters.items():
        other = found.parameters[name]
        np.testing.assert_allclose(other.estimate, estimate.estimate, rtol=1e-6)
        np.testing.assert_allclose(other.stderr, estimate.stderr, rtol=1e-4)
        np.testing.assert_allclose(other.interval, estimate.interval, rtol=1e-4)


@pytest.mark.parametrize(
    ("duration", "rate"),
    [pytest.param(2e5, 3e-6, marks=pytest.mark.slow), (2e6, 1e-6), (2e5, 4e-5)],
)
def test_bounds_however_wide_find_what_is_found_without_them(duration, rate):
    ts = np.linspace(0.0, duration, 14)
    noise = 0.005 * np.random.default_rng(0).standard_normal((2, 14))
    solver, verifier = np.add(curves(rate, 0.3, 0.05, 2.0, 1.2, ts), noise)
    run = Trajectory(ts, solver, verifier)
    free = fit(LinearLaw(), run)
    wide = {"rate": Bounded(0.0, 1.0), "solver_initial": Bounded(-1e4, 3.0)}
    found = fit(LinearLaw(), run, constraints=wide)
    assert found.converged
    assert not any("on its bound" in warning for warning in found.warnings)
    for name in ("rate", "solver_initial", "gap_limit"):
        value, other = free.parameters[name], found.parameters[name]
        assert other.identifiability == value.identifiability
        np.testing.assert_allclose(other.estimate, value.estimate, rtol=1e-5)
        np.testing.assert_allclose(other.interval, value.interval, rtol=1e-3)


def test_tied_parameters_keep_their_tie(run):
    tie = {"verifier_initial": Tied("solver_initial", lambda value: 0.6 * value)}
    found = fit(LinearLaw(), run, constraints=tie).parameters
    assert found["verifier_initial"].estimate == pytest.approx(
        0.6 * found["solver_initial"].estimate
    )
    assert found["verifier_initial"].stderr == pytest.approx(0.6 * found["solver_initial"].stderr)


def test_a_tie_that_leads_out_of_the_range_ends_on_the_bound(run):
    tie = {"ratio": Tied("rate", lambda value: -value)}
    found = fit(LinearLaw(), run, constraints=tie)
    held = fit(LinearLaw(), run, constraints={"ratio": Held(0.0)})
    ratio, rate = found.parameters["ratio"], found.parameters["rate"]
    assert (ratio.estimate, ratio.interval) == (0.0, None)
    assert ratio.identifiability == "practically unidentifiable"
    assert rate.estimate == pytest.approx(held.parameters["rate"].estimate, rel=1e-6)
    assert "ratio is on its bound 0: its tie leads there or beyond" in found.warnings


@pytest.mark.parametrize("others", [0, 1])
def test_what_is_held_depends_on_no_other_run(run, others):
    """The tie is flat at all starts of the other run, and at its fit, but not at this one's."""
    small = Trajectory(run.ts, 0.1 * run.solver, 0.1 * run.verifier)
    tie = {"rate": Tied("solver_initial", lambda value: jnp.clip(0.2 * value, 0.1, 0.6))}
    *flat, found = fit_many(LinearLaw(), [*[small] * others, run], constraints=tie)
    rate, solver = found.parameters["rate"], found.parameters["solver_initial"]
    assert rate.identifiability == "identifiable"
    assert rate.interval == pytest.approx([0.2 * end for end in solver.interval], rel=1e-3)
    for each in flat:
        rate = each.parameters["rate"]
        assert (rate.estimate, rate.interval) == (pytest.approx(0.1), None)
        assert "its tie gives the same value all around the fit" in rate.reason
        assert rate.identifiability == "practically unidentifiable"


def test_what_follows_from_held_parameters_alone_is_held(run):
    gap = {"gap_limit": Held(0.05), "ratio": Tied("gap_limit", lambda value: 6 * value)}
    found = fit(LinearLaw(), run, constraints=gap)
    labels = [found.parameters["ratio"], found.limits["gap"], found.limits["solver"]]
    assert [each.identifiability for each in labels] == ["held", "held", "identifiable"]
    assert found.parameters["ratio"].estimate == pytest.approx(0.3)


@pytest.mark.slow
def test_limits_that_follow_from_held_parameters_alone_are_held(run):
    gap = {"gap_limit": Held(0.05), "ratio": Tied("gap_limit", lambda value: 6 * value)}
    initial = {"solver_initial": Held(2.0), "verifier_initial": Held(1.2)}
    found = fit(LinearLaw(), run, constraints=gap | initial)
    assert found.parameters["rate"].identifiability == "identifiable"
    assert {each.identifiability for each in found.limits.values()} == {"held"}
    flat = {"verifier_initial": Tied("rate", lambda value: jnp.maximum(value, 1.2))}
    found = fit(LinearLaw(), run, constraints=gap | initial | flat)
    assert "its tie gives the same value" in found.limits["solver"].reason
    assert found.limits["gap"].identifiability == "held"


def test_a_prior_weighs_with_the_data(run):
    """With one scale estimated, -2 log L is N log S, corrected for the degrees of freedom."""
    prior = Normal(0.6, 0.02)
    found = fit(LinearLaw(), run, noise=EstimatedScale(), priors={"rate": prior})

    def cost(rate):
        of = lambda p: residuals(run, [rate, *p])  # noqa: E731
        squares = 2 * least_squares(of, [0.3, 0.05, 2.0, 1.2], xtol=1e-13, ftol=1e-13).cost
        return (28 - 5) * np.log(squares) + ((rate - 0.6) / 0.02) ** 2

    rates = np.linspace(0.38, 0.62, 241)
    best = rates[np.argmin([cost(rate) for rate in rates])]
    assert found.parameters["rate"].estimate == pytest.approx(best, abs=1e-3)


@pytest.mark.slow
def test_a_lognormal_prior_on_an_accuracy_is_in_its_own_terms():
    solver, verifier = curves(0.4, 0.3, 0.05, 0.7, 0.4)
    noise = 0.01 * np.random.default_rng(1).standard_normal((2, 14))
    run = Trajectory(TS, 1 - solver + noise[0], 1 - verifier + noise[1], kind="accuracy")
    tight = LogNormal(0.2, 1e-5)
    found = fit(LinearLaw(), run, priors={"solver_initial": tight})
    assert found.parameters["solver_initial"].estimate == pytest.approx(0.2, rel=1e-3)
    held = fit(LinearLaw(), run, constraints={"solver_initial": Held(0.2)})
    assert held.parameters["solver_initial"].estimate == pytest.approx(0.2)
    assert held.parameters["rate"].estimate == pytest.approx(
        found.parameters["rate"].estimate, rel=1e-3
    )


@pytest.mark.slow
def test_a_solver_alone_can_be_constrained(run):
    alone = Trajectory(TS, run.solver)
    free = fit(LinearLaw(), alone)
    found = fit(LinearLaw(), alone, constraints={"rate": Bounded(0.1, 2.0)})
    np.testing.assert_allclose(
        found.limits["solver"].interval, free.limits["solver"].interval, rtol=1e-4
    )


def test_a_window_of_times_is_the_fit_of_those_rows(run):
    found = fit(LinearLaw(), run.between(1.0, 8.0))
    kept = (run.ts >= 1.0) & (run.ts <= 8.0)
    rows = Trajectory(run.ts[kept], run.solver[kept], run.verifier[kept])
    assert found.to_dict() == fit(LinearLaw(), rows).to_dict()
    assert found.num_points == kept.sum()


def half(value):
    return 0.5 * value


@pytest.mark.slow
def test_an_accuracy_on_its_bound_is_in_its_own_terms():
    solver, verifier = curves(0.4, 0.3, 0.05, 0.7, 0.4)
    run = Trajectory(TS, 1 - solver, 1 - verifier, kind="accuracy")
    constraints = {"solver_initial": Bounded(0.1, 0.25)}
    found = fit(LinearLaw(), run, constraints=constraints)
    assert any("solver_initial is on its bound 0.25" in warning for warning in found.warnings)
    assert found.parameters["solver_initial"].estimate == pytest.approx(0.25, abs=1e-4)
    # Whether a bound is near depends on how far the curves move.
    still = [0.2498 - 1e-4 * (0.7 - curve) for curve in (solver, verifier)]
    small = fit(LinearLaw(), Trajectory(TS, *still, kind="accuracy"), constraints=constraints)
    assert not any("on its bound" in warning for warning in small.warnings)
    assert small.parameters["solver_initial"].identifiability == "identifiable"


def profile_with_bounded_gap(run, low, high, name, value):
    """SciPy's least squares with the gap's limit within bounds, and a number held at a value."""

    def free(p):
        rate, ratio, gap_limit, solver, other = p
        if name == "gap_limit":
            return residuals(run, [rate, ratio, value, solver, other])
        # The initial gap with which the solver ends at that value.
        verifier = solver - gap_limit - (solver - value) * (1 - ratio)
        return residuals(run, [rate, ratio, gap_limit, solver, verifier])

    bounds = ([0, 0, low, -9, -9], [9, 0.99, high, 9, 9])
    starts = [[rate, 0.3, 0.5 * (low + high), 2.0, 1.2] for rate in (0.2, 0.4, 0.6)]
    return min(
        2 * least_squares(free, start, bounds=bounds, xtol=1e-13, ftol=1e-13).cost
        for start in starts
    )


@pytest.mark.parametrize(("low", "high", "at"), [(-0.4, -0.1, -0.1), (0.2, 0.5, 0.2)])
def test_intervals_where_a_parameter_is_on_its_bound_are_scipys(run, low, high, at):
    found = fit(LinearLaw(), run, constraints={"gap_limit": Bounded(low, high)})
    parameter, gap = found.parameters["gap_limit"], found.limits["gap"]
    assert parameter.estimate == pytest.approx(at, abs=1e-3)
    on_bound, inner = parameter.interval if at == low else parameter.interval[::-1]
    assert on_bound == at
    # The limit of the gap is the same number, with the same bounds.
    assert gap.estimate == parameter.estimate
    assert gap.interval == pytest.approx(parameter.interval, rel=1e-6)
    assert (gap.identifiability, gap.reason) == (parameter.identifiability, parameter.reason)
    least = profile_with_bounded_gap(run, low, high, "gap_limit", at)
    highest = least * (1 + student_t.ppf(0.95, 28 - 5) ** 2 / (28 - 5))
    ends = [("gap_limit", inner)]
    solver = found.limits["solver"].interval
    ends += [("solver", end) for end in (solver or ())]
    for name, end in ends:
        cost = profile_with_bounded_gap(run, low, high, name, end)
        assert cost - least == pytest.approx(highest - least, rel=2e-2)


def test_a_window_of_too_few_rows_is_refused(run):
    with pytest.raises(ValueError, match="0 of 14 rows lie between the times 5 and"):
        run.between(5.0, 5.5)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (lambda: Normal(1.0, 0.0), "the standard deviation of a prior must be above zero"),
        (lambda: LogNormal(1.0, -1.0), "the standard deviation of a prior must be above zero"),
        (lambda: Normal(1.0, np.float32(0)), "the standard deviation of a prior must be above"),
        (lambda: LogNormal(1.0, np.inf), "the standard deviation of a prior must be .* finite"),
        (lambda: Normal(np.nan, 1.0), "the mean of a prior must be finite, got nan"),
        (lambda: LogNormal(np.inf, 1.0), "the median of a prior must be above zero and finite"),
    ],
)
def test_priors_without_width_or_place_are_refused(prior, message):
    with pytest.raises(ValueError, match=message):
        prior()
