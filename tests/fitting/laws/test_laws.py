"""Each law in the core of a fit: its truth recovered, its special cases, its starts, its inverse.

A law's curves, with a verifier and without, go through one compiled program each, whatever is
asked of it here.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import (
    DriftingRatioLaw,
    GeneralLinearLaw,
    LaggedLaw,
    LevenbergMarquardt,
    LinearLaw,
    PowerLaw,
    RiseThenFallLaw,
    SaturatingLaw,
    closed_form,
    fit,
)
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.least_squares.minimiser import minimise
from jaxgap.fitting.problem import FitProblem
from jaxgap.trajectory import Trajectory

TS = np.linspace(1.0, 10.0, 16)
TRUTHS = {
    LinearLaw(): [0.4, 0.4, 0.1, 3.0, 1.5],
    PowerLaw(): [0.6, 0.4, 0.1, 3.0, 1.5, 2.0],
    SaturatingLaw(): [0.2, 0.4, 0.1, 3.0, 1.5, 4.0],
    LaggedLaw(): [0.9, 0.4, 0.1, 3.0, 1.5, 0.95],
    DriftingRatioLaw(): [0.4, 0.25, 0.6, 0.1, 3.0, 1.5],
    GeneralLinearLaw(): [0.9, 0.15, 1.5, 0.2, 1.0, 0.6, 4.0, 2.0],
    RiseThenFallLaw(): [0.9, 0.4, 0.1, 3.0, 1.5, 0.15, 0.7],
}
each_law = pytest.mark.parametrize("law", TRUTHS, ids=lambda law: law.name)
# A solver alone is fitted by each law in the same way: the dearest are left to --slow.
with_and_without_verifier = pytest.mark.parametrize(
    ("law", "has_verifier"),
    [
        pytest.param(
            law,
            has_verifier,
            id=f"{has_verifier}-{law.name}",
            marks=pytest.mark.slow
            if not has_verifier and isinstance(law, SaturatingLaw | LaggedLaw | RiseThenFallLaw)
            else (),
        )
        for has_verifier in (True, False)
        for law in TRUTHS
    ],
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def curves(ys, has_verifier=True, ts=TS):
    run = Trajectory(ts, ys[:, 0], ys[:, 1] if has_verifier else None)
    return curves_of(run, 16)


def states(law, values):
    dynamics = law.from_parameters(np.asarray(values), curves(np.stack([TS, TS], 1)))
    return np.asarray(dynamics.closed_form(TS))


@eqx.filter_jit
def minima(law, curves):
    """From every start: the minimum, and the parameters and limits there."""
    problem = FitProblem(law, closed_form, LevenbergMarquardt())
    starts = law.starts(curves)
    found = minimise(problem.minimiser, problem.residuals, starts, lambda _: curves)
    numbers = jax.vmap(lambda z: problem.numbers(z, curves))(found.coordinates)
    return starts, found, numbers


def best(law, curves):
    _, found, numbers = minima(law, curves)
    index = int(np.nanargmin(found.cost))
    names = [parameter.name for parameter in law.parameters]
    values = dict(zip(names, np.asarray(numbers[index]), strict=False))
    return float(found.cost[index]), values, np.asarray(numbers[index, -3:])


@with_and_without_verifier
def test_its_own_truth_is_recovered(law, has_verifier):
    truth = TRUTHS[law]
    if not has_verifier and isinstance(law, DriftingRatioLaw):
        pytest.skip("without a verifier it is the linear law")
    cost, found, limits = best(law, curves(states(law, truth), has_verifier))
    assert cost < 1e-18
    for parameter, value in zip(law.parameters, truth, strict=True):
        if has_verifier or not parameter.needs_verifier:
            np.testing.assert_allclose(found[parameter.name], value, rtol=1e-6)
    expected = law.from_parameters(truth, curves(np.stack([TS, TS], 1))).limits()
    seen = 3 if has_verifier else 1
    np.testing.assert_allclose(limits[:seen], expected[:seen], rtol=1e-6)


@each_law
def test_numbers_after_a_laws_own_coordinates_have_no_effect(law):
    data = curves(states(law, TRUTHS[law]))
    start = law.starts(data)[0]
    more = law.dynamics_at(jnp.append(start, 7.0), data)
    assert eqx.tree_equal(law.dynamics_at(start, data), more)


@with_and_without_verifier
def test_it_contains_the_papers_law(law, has_verifier):
    linear = LinearLaw()
    ys = states(linear, TRUTHS[linear])
    cost, _, limits = best(law, curves(ys, has_verifier))
    expected = np.array(linear.from_parameters(TRUTHS[linear], curves(ys)).limits())
    assert cost < 1e-9
    # Where the law holds it as a bound that is never quite reached, the limit is nearly the same.
    seen = 3 if has_verifier else 1
    np.testing.assert_allclose(limits[:seen], expected[:seen], atol=2e-3)


@with_and_without_verifier
def test_every_start_converges_or_fails_quietly(law, has_verifier):
    rng = np.random.default_rng(5)
    shapes = {
        "noise": rng.standard_normal((16, 2)),
        "flat": np.ones((16, 2)),
        "rising": np.stack([TS, 0.5 * TS], 1),
        "a step": np.stack([1.0 * (TS < 5), 0.3 * (TS < 5)], 1),
        "huge": 1e300 * rng.random((16, 2)),
        "noisy": states(law, TRUTHS[law]) + 0.02 * rng.standard_normal((16, 2)),
    }
    for name, ys in shapes.items():
        data = curves(ys, has_verifier)
        starts, found, _ = minima(law, data)
        assert np.isfinite(starts).all(), name
        assert (np.isfinite(found.cost) | ~np.asarray(found.converged)).all(), name
        # Every law comes close to a constant.
        constant = (data.ys - data.ys[: len(TS)].mean(axis=0)) * data.weights
        assert np.nanmin(found.cost) < 1.001 * (constant**2).sum() + 1e-6, name
    # The last is what the law is for.
    assert np.asarray(found.converged).sum() >= len(starts) // 2


@each_law
def test_starts_are_free_of_units(law):
    ys = states(law, TRUTHS[law])
    plain, _, _ = minima(law, curves(ys))
    other, _, _ = minima(law, curves(1e-4 * ys + 0.3, ts=1e3 * TS - 50))
    np.testing.assert_allclose(other, plain, atol=1e-6)


@each_law
def test_from_parameters_is_the_inverse_of_parameter_values(law):
    example = curves(states(law, TRUTHS[law]))
    problem = FitProblem(law, closed_form, LevenbergMarquardt())
    for start in law.starts(example)[:3]:
        dynamics = problem.dynamics(start, example)
        values = law.parameter_values(dynamics)
        again = law.from_parameters(values, example)
        np.testing.assert_allclose(law.parameter_values(again), values, rtol=1e-9)
        np.testing.assert_allclose(again.closed_form(TS), dynamics.closed_form(TS), rtol=1e-9)
        np.testing.assert_allclose(
            jnp.stack(again.limits()), jnp.stack(dynamics.limits()), rtol=1e-8
        )
        assert again.t0 == TS[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "law",
    [law for law in TRUTHS if law.name not in ("linear", "power")],
    ids=lambda law: law.name,
)
def test_accuracies_are_fitted_with_intervals(law):
    rng = np.random.default_rng(7)
    errors = states(law, TRUTHS[law]) / 5
    right = rng.binomial(2000, 1 - errors) / 2000
    run = Trajectory(TS, *right.T, kind="accuracy", num_items=2000)
    result = fit(law, run, level=0.999)
    assert result.converged
    assert result.model == law.name
    assert result.diagnostics.reduced_chi_squared < 2
    assert list(result.parameters) == [parameter.name for parameter in law.parameters]
    low, high = result.predict([10.0]).solver[1:]
    assert low < 1 - errors[-1, 0] < high
    alone = fit(law, Trajectory(TS, right[:, 0], kind="accuracy", num_items=2000))
    assert alone.converged
    assert alone.limits["verifier"].estimate is None
    np.testing.assert_allclose(alone.predict([10.0]).solver.estimate, 1 - errors[-1, 0], atol=0.05)


@each_law
def test_every_bound_of_a_parameter_gives_finite_curves(law):
    """What may be held there must be what the law can compute."""
    truth, example = np.array(TRUTHS[law]), curves(states(law, TRUTHS[law]))
    on_bounds = [
        np.where(np.arange(len(truth)) == index, bound, truth)
        for index, parameter in enumerate(law.parameters)
        for bound in (parameter.lower, parameter.upper)
        if np.isfinite(bound)
    ]

    def at(values):
        dynamics = law.from_parameters(values, example)
        return dynamics.closed_form(example.ts), jnp.stack(dynamics.limits())

    found = jax.jit(jax.vmap(at))(np.stack(on_bounds))
    assert all(np.isfinite(leaf).all() for leaf in found)


@pytest.mark.parametrize("law", [LinearLaw(), DriftingRatioLaw(), RiseThenFallLaw()])
def test_the_edge_of_a_ratios_coordinate_is_its_bound(law):
    example = curves(states(law, TRUTHS[law]))
    bijectors = law.bijectors(example)
    edge = [jnp.asarray(b.constrain(jnp.asarray(50.0))) for b in bijectors]
    values = law.parameter_values(law.dynamics(edge, example))
    ratios = [index for index, p in enumerate(law.parameters) if p.name.startswith("ratio")]
    assert ratios
    for index in ratios:
        assert values[index] == pytest.approx(law.parameters[index].upper, abs=1e-5)
