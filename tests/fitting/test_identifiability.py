"""What the data hold and what they do not: few rounds, structural cases, and what is withheld."""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics.gap_dynamics import GapDynamics
from jaxgap.fitting import AbstractLaw, LinearLaw, Parameter, fit, fit_many
from jaxgap.fitting.bijectors import Real
from jaxgap.trajectory import Trajectory, read_csv


class RedundantLaw(AbstractLaw):
    """The linear law with its solver's start written as a sum of two parameters."""

    name: ClassVar[str] = "redundant"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *LinearLaw.parameters,
        Parameter("first_part", "capability"),
    )

    def bijectors(self, curves):
        return (*LinearLaw().bijectors(curves), Real(0.0, curves.value_scale))

    def starts(self, curves):
        starts = LinearLaw().starts(curves)
        part = jnp.linspace(-1, 1, len(starts))
        return jnp.concatenate([starts.at[:, 0].add(-part), part[:, None]], axis=1)

    def dynamics(self, values, curves):
        *others, part = values
        plain = LinearLaw().dynamics([others[0] + part, *others[1:]], curves)
        initial = (plain.solver_initial, plain.verifier_initial, plain.t0)
        return Parted(plain.potential, plain.coupling, *initial, part)

    def parameter_values(self, dynamics):
        return jnp.append(LinearLaw().parameter_values(dynamics), dynamics.part)

    def from_parameters(self, values, curves):
        raise NotImplementedError


class Parted(GapDynamics):
    """Dynamics that remember how their start was put together."""

    part: float = 0.0


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
    assert found.pop("first_part") == "structurally unidentifiable"
    assert set(found.values()) == {"identifiable"}
    assert result.parameters["first_part"].estimate is None
    assert "without changing any measured curve" in result.parameters["first_part"].reason


def test_a_straight_line_holds_its_limit_only_practically_not():
    noise = 0.02 * np.random.default_rng(0).standard_normal((2, 14))
    ts = np.arange(14.0)
    limit = fit(LinearLaw(), Trajectory(ts, 3 - 0.1 * ts + noise[0], 2 - 0.05 * ts + noise[1]))
    solver = limit.limits["solver"]
    assert solver.identifiability == "practically unidentifiable"
    assert solver.estimate is None
    assert "has not come near enough" in solver.reason


def test_a_limit_less_sure_than_the_whole_run_is_withheld_with_its_interval():
    (limit,) = (fit(LinearLaw(), Trajectory([0, 1, 2, 3], [3.0, 2.2, 1.8, 1.5])).limits["solver"],)
    low, high = limit.interval
    assert high - low > 1.5
    assert limit.estimate is None
    assert limit.identifiability == "practically unidentifiable"
    assert "wider than all that was seen of the run, 1.5" in limit.reason


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
