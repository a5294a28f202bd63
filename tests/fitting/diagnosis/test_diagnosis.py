"""The tests of the law hold their level on curves from it, and find what is wrong with others."""

import re

import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, fit, fit_many
from jaxgap.fitting.diagnosis import constant_ratio, no_fall, one_regime
from jaxgap.trajectory import Trajectory, read_csv

NUM_RUNS = 400


def curves(rng, num_rows, noise):
    """The linear law, with its Jacobian by U_s_inf, U_v_inf, both amplitudes and the rate."""
    t = np.linspace(0, 3, num_rows)
    ratio, decay = rng.uniform(0.2, 0.7), np.exp(-t)
    errors = noise * rng.standard_normal((num_rows, 2))
    ys = np.stack([0.2 + decay, 0.1 + ratio * decay], axis=1) + errors
    one, zero = np.ones_like(t), np.zeros_like(t)
    solver = np.stack([one, zero, decay, zero, -t * decay], axis=1)
    verifier = np.stack([zero, one, zero, decay, -ratio * t * decay], axis=1)
    return t, ys, errors, np.stack([solver, verifier], axis=1)


def share_below(p_values, level):
    return np.mean(np.array(p_values) < level)


def autoregressive(rng, rho, shape):
    noise = rng.standard_normal(shape)
    for row in range(1, shape[0]):
        noise[row] = rho * noise[row - 1] + np.sqrt(1 - rho**2) * noise[row]
    return noise


@pytest.mark.parametrize("num_rows", [8, 20])
@pytest.mark.parametrize("noise", [0.005, 0.05])
def test_a_constant_ratio_is_rejected_no_more_often_than_it_says(num_rows, noise):
    rng = np.random.default_rng(num_rows)
    found = [constant_ratio(*curves(rng, num_rows, noise)[1].T) for _ in range(NUM_RUNS)]
    p_values = [each.p_value for each in found]
    assert share_below(p_values, 0.01) < 0.03
    assert 0.05 < share_below(p_values, 0.1) < 0.15


def test_autocorrelated_errors_are_not_mistaken_for_a_bend_too_often():
    """Without the autoregression it is over a fifth at a level of 10 %."""
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(NUM_RUNS):
        _, ys, errors, _ = curves(rng, 24, 0.01)
        p_values.append(
            constant_ratio(*(ys - errors + 0.01 * autoregressive(rng, 0.5, (24, 2))).T).p_value
        )
    assert share_below(p_values, 0.1) < 0.2


def test_unequal_errors_are_taken_into_account():
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(NUM_RUNS):
        _, ys, errors, _ = curves(rng, 12, 0.02)
        ys[:, 1] += 4 * errors[:, 1]
        p_values.append(constant_ratio(*ys.T, (np.ones(len(ys)), np.full(len(ys), 5.0))).p_value)
    assert share_below(p_values, 0.1) < 0.15


@pytest.mark.parametrize("factors", [(5.0, 0.5), (1.0, 5.0)])
@pytest.mark.parametrize("num_rows", [12, 30])
def test_unequal_errors_that_nobody_tells_are_no_bend(factors, num_rows):
    """Taken for equal they are one up to half of the time."""
    rng = np.random.default_rng(2)
    t, p_values = np.linspace(0, 6, num_rows), []
    for _ in range(NUM_RUNS):
        noise = 0.02 * rng.standard_normal((2, num_rows)) * np.array(factors)[:, None]
        ys = np.array([[2.0], [0.9]]) * np.exp(-t) + noise
        found = constant_ratio(*ys)
        p_values += [] if found is None else [found.p_value]
    assert len(p_values) > NUM_RUNS / 2
    assert share_below(p_values, 0.01) < 0.03
    assert share_below(p_values, 0.1) < 0.15


@pytest.mark.parametrize("falls_to", [0.0, 1.0])
def test_errors_that_shrink_along_the_run_are_no_bend(falls_to):
    """Taken for alike they are one two runs in five: the loud first rows have the leverage."""
    rng = np.random.default_rng(3)
    decay = np.exp(-0.4 * np.arange(20.0))
    ys = np.stack([falls_to + 0.05 + 3 * decay, falls_to + 0.04 + 1.2 * decay])
    errors, p_values = 0.05 * ys, []
    for _ in range(NUM_RUNS):
        noisy = ys + errors * rng.standard_normal((2, 20))
        p_values.append(constant_ratio(*noisy, tuple(errors)).p_value)
    assert share_below(p_values, 0.01) < 0.03
    assert share_below(p_values, 0.1) < 0.15


def test_of_counts_chance_is_what_the_fitted_shares_say():
    """By the observed shares, the rows nearest to 1 would count most, and err that way."""
    rng, num_items = np.random.default_rng(4), 500
    decay = np.exp(-0.6 * np.arange(20.0))
    shares = np.stack([0.99 - 0.69 * decay, 0.995 - 0.345 * decay])
    runs = [
        Trajectory(np.arange(20.0), *each, kind="accuracy", num_items=num_items)
        for each in rng.binomial(num_items, shares, (NUM_RUNS // 2, 2, 20)) / num_items
    ]
    results = fit_many(LinearLaw(), runs)
    for name in ("constant_ratio", "one_regime"):
        p_values = [getattr(each.diagnosis, name).p_value for each in results]
        assert share_below(p_values, 0.01) < 0.04
    chances = [each.diagnostics.chi_squared_p_value for each in results]
    assert share_below(chances, 0.01) < 0.03
    assert share_below(chances, 0.99) > 0.97


def test_a_drifting_ratio_is_found():
    t = np.linspace(0, 4, 16)
    rng = np.random.default_rng(0)
    solver = 3 * np.exp(-0.5 * t) + 0.01 * rng.standard_normal(16)
    verifier = 1.5 * np.exp(-0.2 * t) + 0.01 * rng.standard_normal(16)
    assert constant_ratio(solver, verifier).significant


def quoted_slopes(finding):
    """The two ratios in a finding, each with its standard error."""
    found = re.findall(r"(-?\d+\.\d+) ± (\d+\.\d+)", finding.says)
    return np.array(found, dtype=float)


def test_the_ratios_quoted_are_the_slopes_that_the_points_have():
    """Two straight pieces, in the units of very unequal errors."""
    rng, found = np.random.default_rng(4), []
    solver = np.linspace(3, 0, 21)
    bend = 1.155  # halfway along the line
    verifier = np.where(solver > bend, 0.7 * bend + 0.2 * (solver - bend), 0.7 * solver)
    for _ in range(NUM_RUNS):
        noisy = solver + 0.04 * rng.standard_normal(21), verifier + 0.02 * rng.standard_normal(21)
        found.append(quoted_slopes(constant_ratio(*noisy, (np.ones(21), np.full(21, 0.5)))))
    slopes, stderrs = np.moveaxis(found, 2, 0)
    np.testing.assert_allclose(slopes.mean(axis=0), (0.2, 0.7), atol=0.02)
    # The scatter about a parabola includes that these pieces are none.
    assert (slopes.std(axis=0) < 1.2 * stderrs.mean(axis=0)).all()
    assert (stderrs.mean(axis=0) < 3 * slopes.std(axis=0)).all()


def test_a_run_that_hardly_moves_in_the_end_has_a_ratio_for_either_part_of_its_way():
    """The last third of its rows stands still, and would have none."""
    t = np.linspace(0, 10, 24)
    noise = 0.003 * np.random.default_rng(0).standard_normal((2, 24))
    solver = np.exp(-t)
    measured = np.stack([solver, solver**2]) + noise
    (first, second), stderrs = quoted_slopes(constant_ratio(*measured)).T
    assert (stderrs < 0.2).all()
    assert first == pytest.approx(1.4, abs=0.1)  # 2 U_s, as the solver goes from 1 to .4
    assert second == pytest.approx(0.3, abs=0.1)  # and to 0


def test_the_first_part_is_where_the_run_begins_whether_it_falls_or_rises():
    solver = np.linspace(0, 3, 21)
    verifier = np.where(solver < 1.5, 0.2 * solver, 0.3 + 0.7 * (solver - 1.5))
    noise = 0.01 * np.random.default_rng(5).standard_normal((2, 21))
    solver, verifier = solver + noise[0], verifier + noise[1]
    for order in (slice(None), slice(None, None, -1)):
        slopes = quoted_slopes(constant_ratio(solver[order], verifier[order]))[:, 0]
        np.testing.assert_allclose(slopes[order], (0.2, 0.7), atol=0.1)


def test_where_the_verifier_alone_moves_there_is_no_ratio():
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 24))
    solver, verifier = np.minimum(1.0, np.linspace(2.5, 0, 24)), np.linspace(3, 0, 24)
    found = constant_ratio(solver + noise[0], verifier + noise[1])
    assert "not constant, unclear over the first part" in found.says


def test_short_still_and_noiseless_series_are_not_asked():
    line = np.linspace(0, 1, 10)
    assert constant_ratio(line[:6], line[:6] ** 2) is None
    assert constant_ratio(line, 0.5 * line) is None
    noise = np.random.default_rng(0).standard_normal((2, 40))
    assert constant_ratio(*noise, tuple(np.ones_like(noise))) is None
    assert no_fall(line[:5], "solver") is None
    assert no_fall(1 - line, "solver") is None
    errors = np.random.default_rng(0).standard_normal((20, 2))
    assert (
        one_regime(errors, np.zeros((20, 2, 0)), np.arange(20.0), "round", noise_known=True) is None
    )
    slopes = np.ones((20, 2, 1))
    assert one_regime(1e200 * errors, slopes, np.arange(20.0), "round", noise_known=True) is None
    assert one_regime(errors, 1e200 * slopes, np.arange(20.0), "round", noise_known=True) is None


@pytest.mark.parametrize("num_rows", [8, 20])
def test_one_regime_is_rejected_no_more_often_than_it_says(num_rows):
    rng = np.random.default_rng(num_rows)
    p_values = []
    for _ in range(100):
        t, _, errors, jacobian = curves(rng, num_rows, 1.0)
        flat = jacobian.reshape(-1, 5)
        residuals = errors.ravel() - flat @ np.linalg.lstsq(flat, errors.ravel(), rcond=None)[0]
        p_values.append(
            one_regime(residuals.reshape(-1, 2), jacobian, t, "round", noise_known=True).p_value
        )
    assert share_below(p_values, 0.01) < 0.05
    assert 0.03 < share_below(p_values, 0.1) < 0.2


def test_a_change_of_regime_is_found_where_it_is():
    t, _, errors, jacobian = curves(np.random.default_rng(0), 20, 1.0)
    later = np.where(t[:, None] > 1.5, 8.0, 0.0)
    flat, ys = jacobian.reshape(-1, 5), (errors + later).ravel()
    residuals = ys - flat @ np.linalg.lstsq(flat, ys, rcond=None)[0]
    found = one_regime(residuals.reshape(-1, 2), jacobian, t, "round", noise_known=False)
    assert found.significant
    assert "about round 1.5" in found.says or "about round 1.4" in found.says
    assert "unless its noise varies along the run" in found.says


@pytest.mark.parametrize("slope", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_a_fall_is_not_seen_in_noise(slope):
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 20)
    found = [
        no_fall(np.exp(-slope * 5 * t) + 0.05 * rng.standard_normal(20), "")
        for _ in range(NUM_RUNS)
    ]
    assert share_below([each.p_value for each in found], 0.1) < 0.14


def test_noise_that_grows_with_an_accuracy_is_no_fall():
    """An accuracy near 0 for half of its rows is quiet there: all rows give too small a scale."""
    rng = np.random.default_rng(3)
    truth = np.repeat([0.01, 0.5], [15, 15])
    found = [no_fall(1 - rng.binomial(200, truth) / 200, "solver") for _ in range(NUM_RUNS)]
    assert share_below([each.p_value for each in found], 0.01) < 0.03


def test_a_fall_in_the_loud_part_of_a_run_is_found():
    rng = np.random.default_rng(3)
    truth = np.concatenate([np.full(12, 0.01), np.linspace(0.6, 0.3, 18)])
    found = [no_fall(1 - rng.binomial(500, truth) / 500, "solver") for _ in range(100)]
    assert np.mean([each.significant for each in found]) > 0.9


def test_long_series_are_judged_in_blocks():
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, 100_000)
    assert no_fall(np.abs(t - 0.6) + rng.standard_normal(len(t)), "solver").significant
    assert not no_fall(0.6 - t + rng.standard_normal(len(t)), "solver").significant


def test_the_law_describes_its_own_runs_in_silence():
    t = np.linspace(0, 8, 14)
    decay = np.exp(-0.5 * t)
    noise = 0.01 * np.random.default_rng(1).standard_normal((2, 14))
    result = fit(
        LinearLaw(), Trajectory(t, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])
    )
    assert result.diagnosis.verdict is None
    assert result.warnings == ()
    form = result.to_dict()["diagnostics"]
    assert form["constant_ratio"]["finding"] is None
    assert form["verdict"] is None


@pytest.mark.parametrize("panel", ["math", "gsm8k"])
def test_the_papers_own_curves_do_not_keep_their_ratio(shared_data, panel):
    result = fit(LinearLaw(), read_csv(shared_data / "sun2025_fig4" / f"phi4mini_{panel}_qe.csv"))
    assert result.diagnosis.constant_ratio.p_value < 1e-6
    assert "solver-verifier law does not describe this run" in result.diagnosis.verdict
    # Theory, section 4: about .27 early and .6 to .67 late; the second part has the middle, too.
    (early, _), (late, _) = quoted_slopes(result.diagnosis.constant_ratio)
    assert 0.23 < early < 0.31
    assert 0.52 < late < 0.75
    assert result.diagnosis.verdict in result.warnings
    assert not result.diagnosis.solver_keeps.significant


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("grpo/no_baseline", "accuracy"),
        ("grpo/no_baseline_lr1.5e-5", "accuracy"),
        ("qwen05b_arithmetic/arithmetic_seed_20260718", "uncertainty"),
        ("qwen05b_arithmetic/arithmetic_dense_seed_20260719", "uncertainty"),
    ],
)
def test_runs_that_rise_and_fall_are_reported(shared_data, name, kind):
    run = read_csv(shared_data / f"{name}.csv", kind=kind)
    errors = 1 - run.solver if kind == "accuracy" else run.solver
    found = [no_fall(errors, "solver")]
    if run.verifier is not None:
        found.append(no_fall(run.verifier, "verifier"))
    assert any(each.significant for each in found)
    assert "worsens after its best" in found[0].sentence


def test_runs_that_only_gain_are_not_accused(shared_data):
    paths = sorted((shared_data / "grpo").glob("*.csv"))
    for path in paths:
        if not path.name.startswith("no_baseline"):
            run = read_csv(path, kind="accuracy")
            assert not no_fall(1 - run.solver, "solver").significant, path.name
