"""What is said of a run in words."""

import dataclasses

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, ScalePerSeries, fit, fit_many
from jaxgap.fitting.results.objection import objection
from jaxgap.report.words import (
    accuracy_ends,
    accuracy_sentence,
    forecast_sentence,
    theory_sentence,
    unopposed,
)
from jaxgap.trajectory import Trajectory


def run_with(accuracies):
    ts = np.arange(5.0)
    return Trajectory(ts, 2 - 0.2 * ts, extra={"solver_accuracy": np.array(accuracies)})


def test_accuracies_are_reported_from_the_first_to_the_last_that_was_measured():
    run = run_with([np.nan, 0.25, 0.5, 0.75, np.nan])
    assert accuracy_ends(run) == (0.25, 0.75)
    assert "from 25.0% to 75.0%" in accuracy_sentence(run)


@pytest.mark.parametrize("accuracies", [[np.nan] * 5, [np.nan, 0.3, np.nan, np.nan, np.nan]])
def test_nothing_is_said_of_accuracies_with_fewer_than_two(accuracies):
    assert accuracy_sentence(run_with(accuracies)) is None


def falling(last, *, error=0.01, selected=0.3, solver_se=0.01):
    """A run whose uncertainty falls by far, and whose accuracy falls from one half."""
    ts = np.arange(5.0)
    extra = {
        "solver_accuracy": np.linspace(0.5, last, 5),
        "solver_accuracy_se": np.full(5, error),
        "verifier_accuracy": np.full(5, selected),
    }
    return Trajectory(ts, 2 - 0.2 * ts, solver_se=np.full(5, solver_se), extra=extra)


def test_more_confident_and_less_accurate_is_said_of_a_clear_fall_alone():
    said = accuracy_sentence(falling(0.4))
    assert "less accurate: most answers that its verifier selects are wrong, and the limit" in said
    # Four standard errors of the difference are 0.057.
    assert "less accurate" in accuracy_sentence(falling(0.44))
    assert "less accurate" not in accuracy_sentence(falling(0.45))
    assert "less accurate" not in accuracy_sentence(falling(0.4, solver_se=0.5))
    assert "less accurate" not in accuracy_sentence(
        run_with([0.9, 0.8, 0.7, 0.6, 0.5])
    )  # no errors


def test_a_verifier_that_selects_right_answers_is_not_blamed():
    said = accuracy_sentence(falling(0.3, selected=0.8))
    assert said.endswith(
        "less accurate: the limit of its uncertainty says nothing about its skill."
    )


def test_a_run_of_accuracies_has_no_nats():
    run = run_with([0.3, 0.3, 0.25, 0.2, 0.2])
    ts = run.ts
    measured = Trajectory(ts, 0.6 - 0.05 * ts, kind="accuracy", extra=dict(run.extra))
    assert accuracy_sentence(measured) == (
        "Accuracy at temperature 1 went from 30.0% to 20.0% while the solver's accuracy fell from "
        "0.600 to 0.400."
    )


def lawful_run(num_rows, rng):
    t = np.linspace(0, 6, num_rows)
    noise = 0.05 * rng.standard_normal((2, num_rows))
    return Trajectory(t, 1 + 2 * np.exp(-t) + noise[0], 0.6 + 0.9 * np.exp(-t) + noise[1])


def test_few_rows_are_not_taken_for_the_laws_success():
    rng = np.random.default_rng(0)
    short, long = (fit(LinearLaw(), lawful_run(num_rows, rng)) for num_rows in (5, 20))
    assert theory_sentence(short) == (
        "5 rows are too few to tell whether this run departs from the linear law."
    )
    assert theory_sentence(long) == (
        "The residuals show no departure of this run from the linear law."
    )


def faster_verifier(num_rows, noise):
    t = np.linspace(0, 6, num_rows)
    errors = noise * np.random.default_rng(0).standard_normal((2, num_rows))
    return Trajectory(t, 1 + 2 * np.exp(-t) + errors[0], 0.5 + 2.5 * np.exp(-t) + errors[1])


def test_a_verifier_faster_than_the_solver_speaks_against_the_law():
    result = fit(LinearLaw(), faster_verifier(12, 0.05))
    assert objection(result) is None
    assert not unopposed(result)
    assert "the verifier moves as fast as the solver or faster" in theory_sentence(result)


def test_a_ratio_on_its_bound_that_could_be_anything_is_not_called_too_fast():
    result = fit(LinearLaw(), faster_verifier(6, 1.0))
    assert result.parameters["ratio"].interval[1] == pytest.approx(0.999, abs=1e-3)
    assert "ratio is on its bound 0.999" in result.remarks


def test_a_law_that_explains_little_of_a_curve_does_not_describe_the_run():
    run = lawful_run(10, np.random.default_rng(0))
    result = fit(LinearLaw(), run.replace(verifier=0.5 + 0.4 * np.sin(run.ts)))
    assert result.diagnosis.verdict is None
    assert "law does not describe this run (R² verifier" in theory_sentence(result)


def test_a_verifier_that_does_not_move_is_no_departure_from_the_law():
    rng = np.random.default_rng(0)
    result = fit(
        LinearLaw(), lawful_run(20, rng).replace(verifier=0.5 + 0.05 * rng.normal(size=20))
    )
    assert result.r2["verifier"] < 0.1
    assert objection(result) is None
    said = theory_sentence(result)
    assert "The residuals show no departure of this run from the linear law" in said
    assert said.endswith("but there is little to see beyond noise (R² verifier 0.00).")


@pytest.mark.slow
def test_a_lawful_run_is_outside_what_was_expected_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    runs = [lawful_run(20, rng) for _ in range(120)]
    known = fit_many(LinearLaw(), [run.head(10) for run in runs])
    said = [forecast_sentence(*each) for each in zip(runs, known, strict=True)]
    # Of 120 with a chance of 0.1: three standard deviations to either side.
    assert 3 <= sum("outside the predicted" in sentence for sentence in said) <= 21
    assert sum("within the predicted" in sentence for sentence in said) >= 96


@pytest.mark.parametrize(("num_items", "error"), [(50, "0.045"), (200, "0.022")])
def test_the_error_of_an_accuracy_is_that_of_its_count(num_items, error):
    t = np.arange(20.0)
    run = Trajectory(t, 0.9 - 0.6 * np.exp(-0.4 * t), kind="accuracy", num_items=num_items)
    known = fit(LinearLaw(), run.head(10))
    assert f"0.8997 ± {error} was measured, within" in forecast_sentence(run, known)
    fallen = run.replace(solver=np.append(run.solver[:-1], 0.5))
    assert "0.5000 ± " in forecast_sentence(fallen, known)
    assert "was measured, outside the" in forecast_sentence(fallen, known)


def test_nothing_is_predicted_by_a_fit_that_cannot_tell_its_noise_or_failed():
    run = lawful_run(10, np.random.default_rng(0)).replace(verifier=None)
    three = fit(LinearLaw(), run.head(3))
    said = forecast_sentence(run, three)
    assert "with no interval (too few measurements" in said
    assert "inf" not in said
    assert "the predicted range" not in said
    failed = dataclasses.replace(three, converged=False, stopped="failed: no start")
    assert forecast_sentence(run, failed).endswith("law could not be fitted: failed: no start.")


def test_no_accuracy_above_one_is_forecast():
    t = np.arange(10.0)
    run = Trajectory(t, np.minimum(0.3 + 0.12 * t, 0.97), kind="accuracy", num_items=200)
    known = fit(LinearLaw(), run.head(5))
    assert 1 - known.dynamics.closed_form(t)[-1, 0] > 1
    assert "predicted 1.000 for the solver at the end (90% interval [" in forecast_sentence(
        run, known
    )


def test_a_measurements_error_is_that_of_its_own_series_where_each_has_its_own():
    ts = np.arange(20.0)
    decay, noise = np.exp(-0.2 * ts), np.random.default_rng(0).standard_normal((2, 20))
    run = Trajectory(ts, 1 + decay + 0.01 * noise[0], 0.5 + 0.5 * decay + 0.1 * noise[1])
    known = fit(LinearLaw(), run.head(14), noise=ScalePerSeries())
    error = float(forecast_sentence(run, known).split("± ")[1].split()[0])
    assert 0.005 < error < 0.02
