"""What the data determine and what they do not: few rounds, structural cases."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.fitting import (
    AbstractLaw,
    LevenbergMarquardt,
    LinearLaw,
    Parameter,
    fit,
    fit_many,
)
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.fit import closed_form
from jaxgap.fitting.intervals.identifiability import _without_effect, without_effect
from jaxgap.fitting.laws.bijectors import Real
from jaxgap.fitting.pooling import profiles_of
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.results.sentences import limit_sentence
from jaxgap.trajectory import Trajectory, read_csv


def parts(num):
    return tuple(Parameter(f"part_{index}", "capability") for index in range(num))


class RedundantLaw(AbstractLaw):
    """The linear law with its solver's start written as a sum of two parameters or more."""

    name: ClassVar[str] = "redundant"
    parameters: ClassVar[tuple[Parameter, ...]] = (*LinearLaw.parameters, *parts(1))

    def bijectors(self, curves):
        linear = LinearLaw().bijectors(curves)
        return (*linear, *[Real(0.0, curves.value_scale)] * (len(self.parameters) - len(linear)))

    def starts(self, curves):
        starts = LinearLaw().starts(curves)
        part = jnp.linspace(-1, 1, len(starts))[:, None]
        others = jnp.zeros((len(starts), len(self.parameters) - starts.shape[1] - 1))
        return jnp.concatenate([starts.at[:, 0].add(-part[:, 0]), part, others], axis=1)

    def dynamics(self, values, curves):
        solver, *others = values[: len(LinearLaw.parameters)]
        parts = jnp.stack(values[len(LinearLaw.parameters) :])
        plain = LinearLaw().dynamics([solver + parts.sum(), *others], curves)
        initial = (plain.solver_initial, plain.verifier_initial, plain.t0)
        return Parted(plain.potential, plain.coupling, *initial, parts)

    def parameter_values(self, dynamics):
        return jnp.concatenate([LinearLaw().parameter_values(dynamics), dynamics.parts])

    def from_parameters(self, values, curves):
        raise NotImplementedError


class WideLaw(RedundantLaw):
    """The same in so many parts that a short run has fewer rows than that."""

    name: ClassVar[str] = "wide"
    parameters: ClassVar[tuple[Parameter, ...]] = (*LinearLaw.parameters, *parts(40))


class Parted(GapDynamics):
    """Dynamics that remember how their start was put together."""

    parts: Float[Array, " parts"] | None = None


def noisy_run(ts, seed=0, scale=0.01):
    decay = np.exp(-0.5 * ts)
    noise = scale * np.random.default_rng(seed).standard_normal((2, len(ts)))
    return Trajectory(ts, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


def kinds(result):
    named = result.parameters | {f"{name} limit": v for name, v in result.limits.items()}
    return {name: value.identifiability for name, value in named.items()}


def test_a_good_run_holds_everything():
    result = fit(LinearLaw(), noisy_run(np.linspace(0, 8, 14)))
    assert set(kinds(result).values()) == {"identifiable"}
    assert result.to_dict()["limits"]["solver"]["identifiability"] == "identifiable"


def test_a_solver_alone_cannot_show_the_verifier_at_all():
    run = noisy_run(np.linspace(0, 8, 14))
    found = kinds(fit(LinearLaw(), Trajectory(run.ts, run.solver)))
    invisible = {"ratio", "gap_limit", "verifier_initial", "verifier limit", "gap limit"}
    assert {name for name, kind in found.items() if kind.startswith("struct")} == invisible
    assert found["solver limit"] == "identifiable"


def test_a_redundant_parameter_is_structurally_unidentifiable_and_nothing_else():
    result = fit(RedundantLaw(), noisy_run(np.linspace(0, 8, 14)))
    found = kinds(result)
    assert found.pop("part_0") == "structurally unidentifiable"
    assert set(found.values()) == {"identifiable"}
    assert result.parameters["part_0"].estimate is None
    assert "without changing any measured curve" in result.parameters["part_0"].reason


def test_more_coordinates_than_rows_are_told_apart_all_the_same():
    problem = FitProblem(WideLaw(), closed_form, LevenbergMarquardt())
    found = without_effect(problem, curves_of(noisy_run(np.linspace(0, 8, 14)), 16))
    redundant = {p.name for p, each in zip(problem.reported, found, strict=True) if each}
    assert redundant == {parameter.name for parameter in parts(40)}


def test_nothing_grows_as_the_square_of_the_number_of_rows():
    problem = FitProblem(LinearLaw(), closed_form, LevenbergMarquardt())
    curves = curves_of(noisy_run(np.linspace(0, 8, 1000)), 1024)
    with jax.enable_x64(True):
        program = _without_effect.lower(problem, curves).as_text()
    assert "2048x5x" in program
    assert "2048x2048" not in program


@pytest.mark.parametrize(
    ("ts", "rate"),
    [
        pytest.param(np.arange(401.0), 0.4, marks=pytest.mark.slow),
        (np.geomspace(1.0, 1e4, 60) - 1, 0.05),
    ],
)
def test_a_rate_much_faster_than_the_run_is_long_is_held_by_its_first_rows(ts, rate):
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(ts))
    result = fit(LinearLaw(), Trajectory(ts, 1 + 2 * np.exp(-rate * ts) + noise))
    found = result.parameters["rate"]
    assert found.identifiability == "identifiable"
    low, high = found.interval
    assert 0.9 * rate < low < rate < high < 1.1 * rate
    assert profiles_of(result, ["rate"])["rate"].bounded


def test_a_rate_too_fast_for_all_rows_is_open_above():
    ts = np.arange(401.0)
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(ts))
    found = fit(LinearLaw(), Trajectory(ts, 1 + 2 * np.exp(-20 * ts) + noise)).parameters["rate"]
    assert found.identifiability == "practically unidentifiable"
    assert found.interval[0] > 1
    assert found.interval[1] is None


def test_a_straight_line_holds_its_limit_only_practically_not():
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 14))
    ts = np.arange(14.0)
    limit = fit(LinearLaw(), Trajectory(ts, 3 - 0.1 * ts + noise[0], 2 - 0.05 * ts + noise[1]))
    solver = limit.limits["solver"]
    assert solver.identifiability == "practically unidentifiable"
    assert solver.estimate is None
    assert "has not come close enough" in solver.reason


def test_a_limit_less_sure_than_the_whole_run_is_withheld_with_its_interval():
    (limit,) = (fit(LinearLaw(), Trajectory([0, 1, 2, 3], [3.0, 2.2, 1.8, 1.5])).limits["solver"],)
    low, high = limit.interval
    assert high - low > 1.5
    assert limit.estimate is None
    assert limit.identifiability == "practically unidentifiable"
    assert "wider than the whole range observed, 1.5" in limit.reason


def test_no_limit_without_an_interval():
    result = fit(LinearLaw(), Trajectory([0, 1, 2], [3.0, 2.0, 1.5]))
    assert result.limits["solver"].estimate is None
    assert "nothing is left" in result.limits["solver"].reason


def test_a_parameter_on_its_bound_says_so():
    run = noisy_run(np.linspace(0, 8, 14))
    worse = 1 + 0.02 * run.ts + run.solver - np.exp(-0.5 * run.ts) * 0.8
    ratio = fit(LinearLaw(), Trajectory(run.ts, run.solver, worse)).parameters["ratio"]
    assert ratio.identifiability == "practically unidentifiable"
    assert "on the bound" in ratio.reason


def test_with_four_or_five_rounds_the_limit_is_mostly_not_held(shared_data):
    paths = sorted((shared_data / "published").glob("*__solver.csv"))
    runs = [read_csv(path, kind="accuracy") for path in paths]
    short = [run for run in runs if run.num_rows <= 5]
    assert len(short) > 10
    held = [result.limits["solver"] for result in fit_many(LinearLaw(), short)]
    assert np.mean([each.identifiability == "identifiable" for each in held]) < 0.5
    for limit in held:
        assert (limit.estimate is None) == (limit.identifiability != "identifiable")


@pytest.mark.parametrize("num_rows", [5, 8])
def test_more_rows_hold_more(num_rows):
    runs = [noisy_run(np.linspace(0, 5, num_rows), seed, 0.03) for seed in range(8)]
    held = [fit_.limits["solver"].estimate is not None for fit_ in fit_many(LinearLaw(), runs)]
    assert np.mean(held) > (0.2 if num_rows == 5 else 0.6)


def test_an_accuracy_that_never_errs_holds_no_limit():
    """All that the law allows decides, not the part of it that an accuracy can be."""
    run = Trajectory(np.arange(8.0), np.ones(8), kind="accuracy", num_items=100)
    found = fit(LinearLaw(), run).limits["solver"]
    assert found.estimate is None
    assert found.identifiability == "practically unidentifiable"


def test_a_limit_of_an_accuracy_found_above_one_is_on_the_bound_and_says_so():
    ts = np.arange(12.0)
    accuracy = np.random.default_rng(5).binomial(1000, 1 - 0.6 * np.exp(-0.2 * ts)) / 1000
    result = fit(LinearLaw(), Trajectory(ts, accuracy, kind="accuracy", num_items=1000))
    limit = result.limits["solver"]
    assert (limit.estimate, limit.stderr, limit.interval[1]) == (1.0, None, 1.0)
    assert limit.identifiability == "practically unidentifiable"
    assert limit_sentence(result).endswith(
        "1.000]: the estimate is on the bound of the allowed range."
    )


def test_a_gap_that_ends_below_zero_is_reported():
    run = noisy_run(np.linspace(0, 8, 14))
    assert not any("the limit of the gap" in each for each in fit(LinearLaw(), run).warnings)
    swapped = Trajectory(run.ts, run.solver, run.verifier + 1.0)
    (warning,) = [
        each for each in fit(LinearLaw(), swapped).warnings if "the limit of the gap" in each
    ]
    assert "the columns are not swapped" in warning
