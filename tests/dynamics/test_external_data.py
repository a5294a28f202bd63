"""External data: the jumps in closed form, by Diffrax and by SciPy, their limit and its slopes."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp

from jaxgap.dynamics import (
    AbstractPotential,
    ExternalData,
    GapDynamics,
    InjectedDynamics,
    LaggedPotential,
    LinearPotential,
    PowerPotential,
    RankOneCoupling,
    SaturatingPotential,
    conserved_quantity,
    simulate,
    simulate_injected,
)

LINEAR = GapDynamics(LinearPotential(0.35, 0.04), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
POWER = GapDynamics(PowerPotential(0.45, 0.01, 1.5), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
DYNAMICS = {"linear": LINEAR, "power": POWER}
EXTERNAL = ExternalData(np.array([1.0, 3.0, 3.0, 6.5]), np.array([0.4, 0.1, 0.3, 0.2]), 0.3)
TS = np.linspace(0.5, 10.0, 20)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=DYNAMICS, name="dynamics")
def _dynamics(request):
    return DYNAMICS[request.param]


def as_float64(tree):
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf), jnp.float64), tree)


def by_scipy(dynamics, external, ts):
    """The law with alpha and beta written out, integrated piece by piece by another library."""
    limit, delta = dynamics.potential.gap_limit, dynamics.gap_initial - dynamics.potential.gap_limit
    exponent = getattr(dynamics.potential, "exponent", 1.0)
    alpha, beta = 2.0, 0.8

    def field(t, y):
        energy = dynamics.potential.rate * delta * ((y[0] - y[1] - limit) / delta) ** exponent
        return [-alpha / (alpha - beta) * energy, -beta / (alpha - beta) * energy]

    y, t0, found = np.array([0.96, 0.40]), 0.5, {}
    times = np.append(np.asarray(external.times), ts[-1])
    doses = np.append(np.asarray(external.strength * external.shares), 0.0)
    for t1, dose in zip(times, doses, strict=True):
        if t1 > t0:
            inside = [t for t in ts if t0 <= t <= t1 and t not in found]
            at = sorted({*inside, t1})
            solution = solve_ivp(field, (t0, t1), y, t_eval=at, rtol=1e-11, atol=1e-13)
            found |= {t: solution.y[:, at.index(t)] for t in inside}
            y, t0 = solution.y[:, -1], t1
        y = y / np.array([1.0, 1.0 + dose])
    return np.array([found[t] for t in ts])


def test_closed_form_agrees_with_scipy(dynamics):
    found = InjectedDynamics(dynamics, EXTERNAL).closed_form(TS)
    np.testing.assert_allclose(found, by_scipy(dynamics, EXTERNAL, TS), rtol=1e-7)


def test_closed_form_agrees_with_diffrax(dynamics):
    simulated = simulate_injected(dynamics, EXTERNAL, TS)
    found = InjectedDynamics(dynamics, EXTERNAL).closed_form(TS)
    np.testing.assert_allclose(found, simulated, rtol=1e-7)


@pytest.mark.parametrize(
    "potential", [SaturatingPotential(0.2, 0.04, 4.0), LaggedPotential(0.9, 0.04, 0.8)], ids=repr
)
@pytest.mark.parametrize("strength", [0.3, 1.2])
def test_jumps_of_saturated_and_lagged_gaps_agree_with_diffrax(potential, strength):
    """Also where jumps open the gap further than it was at first."""
    dynamics = GapDynamics(potential, RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
    external = ExternalData(EXTERNAL.times, EXTERNAL.shares, strength)
    simulated = simulate_injected(dynamics, external, TS)
    run = InjectedDynamics(dynamics, external)
    np.testing.assert_allclose(run.closed_form(TS), simulated, rtol=1e-7)
    np.testing.assert_allclose(run.closed_form([400.0])[0], run.limits()[:2], rtol=1e-9)


@pytest.mark.parametrize("shape", [(), (2, 2), (2, 3), (0, 2)], ids=repr)
def test_times_may_have_any_shape(dynamics, shape):
    run = InjectedDynamics(dynamics, EXTERNAL)
    ts = np.linspace(0.5, 8.0, int(np.prod(shape))).reshape(shape)
    found = run.closed_form(ts)
    one_by_one = [run.closed_form(jnp.array([t]))[0] for t in ts.ravel()]
    assert found.shape == (*shape, 2) == dynamics.closed_form(ts).shape
    np.testing.assert_allclose(found.reshape(-1, 2), np.reshape(one_by_one, (-1, 2)), rtol=1e-13)


def test_the_limit_is_where_a_long_run_ends(dynamics):
    run = InjectedDynamics(dynamics, EXTERNAL)
    far = 200.0 if dynamics is LINEAR else 1e8
    ys = run.closed_form(jnp.array([far]))[0]
    np.testing.assert_allclose(ys, run.limits()[:2], atol=1e-9)


def test_a_measurement_at_a_jump_is_taken_before_it(dynamics):
    run = InjectedDynamics(dynamics, EXTERNAL)
    before, at, after = run.closed_form(jnp.array([1 - 1e-9, 1.0, 1 + 1e-9]))
    np.testing.assert_allclose(at, before, rtol=1e-7)
    np.testing.assert_allclose(after, at / np.array([1.0, 1 + 0.3 * 0.4]), rtol=1e-7)


@pytest.mark.parametrize("off", ["strength", "shares"])
def test_without_data_or_effect_it_is_the_plain_law(dynamics, off):
    nothing = jax.tree.map(jnp.zeros_like, getattr(EXTERNAL, off))
    run = InjectedDynamics(dynamics, eqx.tree_at(lambda e: getattr(e, off), EXTERNAL, nothing))
    np.testing.assert_allclose(run.closed_form(TS), dynamics.closed_form(TS), rtol=1e-12)
    np.testing.assert_allclose(run.limits(), dynamics.limits(), rtol=1e-12)
    np.testing.assert_allclose(run.proposition_5_1(), dynamics.limits(), rtol=1e-12)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_gradients_in_everything(dynamics, mode):
    # Distinct times: at a tie the order, and with it the curve at that moment, would change.
    external = eqx.tree_at(lambda e: e.times, EXTERNAL, jnp.array([1.1, 3.1, 4.2, 6.6]))
    run = as_float64(InjectedDynamics(dynamics, external))

    def fn(run):
        return run.closed_form(TS), run.limits(), run.proposition_5_1()

    check_grads(jax.jit(fn), (run,), order=1, modes=[mode], rtol=1e-5)


@pytest.mark.parametrize(
    ("adjoint", "mode"),
    [
        (diffrax.RecursiveCheckpointAdjoint(), "rev"),
        # The test below goes forwards, too.
        pytest.param(diffrax.ForwardMode(), "fwd", marks=pytest.mark.slow),
    ],
)
def test_gradients_of_the_simulation(adjoint, mode):
    two = ExternalData(np.array([1.0, 3.0]), np.array([0.4, 0.6]), 0.3)
    dynamics, external = as_float64((POWER, two))

    def fn(dynamics, shares, strength):
        jumps = ExternalData(external.times, shares, strength)
        return simulate_injected(dynamics, jumps, TS[[1, 9]], adjoint=adjoint, max_steps=64)

    args = (dynamics, external.shares, external.strength)
    check_grads(jax.jit(fn), args, order=1, modes=[mode], rtol=1e-4)


@pytest.mark.parametrize(
    ("adjoint", "jacobian"),
    [
        # Backwards through the simulation goes the test above, too.
        pytest.param(None, jax.jacrev, marks=pytest.mark.slow),
        (diffrax.ForwardMode(), jax.jacfwd),
    ],
    ids=["rev", "fwd"],
)
@pytest.mark.parametrize(
    "times", [pytest.param([1.0, 2.0], marks=pytest.mark.slow), [0.0, 1.0, 1.0, 3.0]], ids=repr
)
def test_slopes_by_times_that_coincide(adjoint, jacobian, times):
    """A measurement at a jump belongs to the segment that ends there, with its whole slope."""
    law = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 5.0, 3.0)
    ts = jnp.arange(4.0)

    def parts(t0, times, ts):
        shifted = eqx.tree_at(lambda d: d.t0, law, t0)
        return shifted, ExternalData(times, jnp.full(times.shape, 0.5), 0.4), ts

    def exact(*args):
        dynamics, external, ts = parts(*args)
        return InjectedDynamics(dynamics, external).closed_form(ts)

    def simulated(*args):
        return simulate_injected(*parts(*args), adjoint=adjoint, max_steps=64)

    at = jnp.array(0.0), jnp.array(times), ts
    found, expected = (jacobian(fn, argnums=(0, 1, 2))(*at) for fn in (simulated, exact))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    # Until the first jump U_s is 1 + 4 exp(-t / 2).
    early = ts <= times[0]
    speeds = np.diagonal(found[2][:, 0])
    np.testing.assert_allclose(speeds[early], -2 * np.exp(-ts[early] / 2), atol=1e-6)


def test_the_simulation_promotes_no_types():
    with jax.numpy_dtype_promotion("strict"):
        strict = simulate_injected(LINEAR, EXTERNAL, TS)
    np.testing.assert_allclose(strict, simulate_injected(LINEAR, EXTERNAL, TS), rtol=1e-14)


def test_any_potential_can_be_simulated():
    class Saturating(AbstractPotential):
        rate: float
        gap_limit: float = 0.0

        def closing_speed(self, gap, gap_initial):
            return self.rate * jnp.tanh(gap)

    dynamics = GapDynamics(Saturating(0.3), RankOneCoupling(0.4), 0.9, 0.4)
    external = ExternalData(jnp.array([2.0]), jnp.array([1.0]), 0.5)
    before, after = simulate_injected(dynamics, external, jnp.array([2.0, 5.0]))
    # sinh(G) decays exponentially where dG/dt = -rate tanh(G).
    gap = before[0] - before[1] / 1.5
    np.testing.assert_allclose(
        after[0] - after[1], jnp.arcsinh(jnp.sinh(gap) * jnp.exp(-0.9)), rtol=1e-7
    )
    with pytest.raises(ValueError, match=r"no closed form: use .*simulate_injected"):
        InjectedDynamics(dynamics, external)


@jax.jit
def solver_limit(run):
    return run.limits().solver


@settings(deadline=None, max_examples=40)
@given(
    rate=st.floats(0.01, 5.0),
    ratio=st.floats(0.0, 0.9),
    gap_limit=st.floats(0.0, 0.1),
    gap=st.floats(0.2, 2.0),
    verifier=st.floats(0.1, 2.0),
    gamma=st.floats(0.01, 5.0),
    t=st.floats(0.0, 8.0),
    later=st.floats(0.1, 5.0),
)
def test_one_injection_is_the_better_the_earlier(
    rate, ratio, gap_limit, gap, verifier, gamma, t, later
):
    dynamics = GapDynamics(
        LinearPotential(rate, gap_limit), RankOneCoupling(ratio), verifier + gap, verifier
    )

    def limit(t):
        jump = ExternalData(np.array([t]), np.ones(1), gamma)
        return solver_limit(as_float64(InjectedDynamics(dynamics, jump)))

    # While U_v stays positive; below zero an injection would make it worse, and is invalid.
    if dynamics.limits().verifier > 0:
        assert limit(t) <= limit(t + later) + 1e-12


def test_each_jump_takes_its_part_from_the_conserved_quantity():
    run = InjectedDynamics(LINEAR, EXTERNAL)
    kept = conserved_quantity(LINEAR, run.closed_form(jnp.array([0.5, 1.0, 2.0, 3.0, 4.0])))
    before, fall = run.closed_form(EXTERNAL.times)[:3, 1], EXTERNAL.fall()[:3]
    before = before.at[2].multiply(1 - fall[1])  # the second of two at one time
    taken = fall * before
    expected = kept[0] - np.array([0, 0, taken[0], taken[0], sum(taken)])
    np.testing.assert_allclose(kept, expected, rtol=1e-12)


def test_proposition_5_1_is_exact_for_one_injection_at_the_start():
    run = InjectedDynamics(LINEAR, ExternalData(jnp.array([0.5]), jnp.ones(1), 0.7))
    np.testing.assert_allclose(run.limits(), run.proposition_5_1(), rtol=1e-12)


@pytest.mark.parametrize(
    ("times", "ratio", "overstated"),
    [([1.0], 0.0, False), ([1.0], 0.4, True), ([0.5, 1.5], 0.4, True), ([0.5, 1.5], 0.05, False)],
)
def test_proposition_5_1_overstates_one_later_injection_but_not_always_several(
    times, ratio, overstated
):
    dynamics = GapDynamics(LinearPotential(0.3, 0.1), RankOneCoupling(ratio), 5.0, 3.0, t0=0.5)
    shares = jnp.full(len(times), 1 / len(times))
    run = InjectedDynamics(dynamics, ExternalData(jnp.array(times), shares, 0.2))
    exact, stated = run.limits().solver, run.proposition_5_1().solver
    assert bool(stated < exact - 1e-9) == overstated


def test_first_order_effects_of_early_uniform_and_late():
    """Section 5's golden values: kappa .348, r .4, from U_s = 1, U_v = .45, G_inf = .066."""
    dynamics = GapDynamics(LinearPotential(0.348, 0.066), RankOneCoupling(0.4), 1.0, 0.45)
    rounds = jnp.arange(10.0)

    def effect(shares):
        def limit(gamma):
            return InjectedDynamics(dynamics, ExternalData(rounds, shares, gamma)).limits().solver

        return -jax.grad(limit)(0.0)

    shares = (jnp.eye(10)[0], jnp.full(10, 0.1), jnp.eye(10)[8])
    np.testing.assert_allclose([effect(each) for each in shares], [0.75, 0.39, 0.25], atol=0.005)


def test_splitting_can_win_where_the_verifier_stands_still():
    still = GapDynamics(LinearPotential(0.3, 0.0), RankOneCoupling(0.0), 3.0, 1.0)
    times = jnp.arange(4.0)
    early, uniform = (
        InjectedDynamics(still, ExternalData(times, shares, 1.0)).limits().solver
        for shares in (jnp.eye(4)[0], jnp.full(4, 0.25))
    )
    np.testing.assert_allclose([early, uniform], [1 / 2, 1 / 1.25**4], rtol=1e-12)


def test_validity_is_said_and_not_raised():
    def check(dynamics, gamma):
        return InjectedDynamics(dynamics, ExternalData(jnp.ones(1), jnp.ones(1), gamma)).validity()

    assert check(LINEAR, 0.1).holds
    assert check(LINEAR, 0.1).reason() is None
    assert "solver's limit is beyond perfect" in check(LINEAR, 5.0).reason()
    backwards = eqx.tree_at(lambda d: d.potential.gap_limit, LINEAR, 0.9)
    assert "runs backwards" in check(backwards, 0.1).reason()
    negative = eqx.tree_at(lambda d: (d.potential.gap_limit, d.coupling.ratio), LINEAR, (0.2, 0.6))
    assert "verifier goes beyond perfect" in check(negative, 0.05).reason()


@pytest.mark.parametrize("dynamics", [LINEAR, POWER], ids=["linear", "power"])
def test_a_run_that_has_come_to_its_limit_is_valid_whatever_the_rounding(dynamics):
    rounds = jnp.linspace(0.5, 200.0, 10)

    def valid(verifier):
        fast = eqx.tree_at(
            lambda d: (d.potential.rate, d.solver_initial, d.verifier_initial),
            dynamics,
            (4.0, verifier + 0.56, verifier),
        )
        return InjectedDynamics(fast, ExternalData(rounds, jnp.eye(10)[0], 0.1)).validity().holds

    verifiers = jnp.asarray(np.random.default_rng(0).uniform(0.45, 0.9, 200))
    assert jax.vmap(valid)(verifiers).all()


@pytest.mark.parametrize("dynamics", [LINEAR, POWER], ids=["linear", "power"])
def test_a_gap_that_begins_below_its_limit_is_invalid_but_a_jump_to_above_it_closes(dynamics):
    """The same law drives a gap from either side, as $E = k (G - G_inf)^q$ does after the jump."""
    below = eqx.tree_at(lambda d: d.potential.gap_limit, dynamics, 0.6)
    run = InjectedDynamics(below, ExternalData(jnp.array([1.0]), jnp.ones(1), 3.0))
    assert "runs backwards" in run.validity().reason()
    assert run.validity().moving
    ts = jnp.array([1.0, 2.0, 9.0])
    ys = run.closed_form(ts)
    np.testing.assert_allclose(simulate_injected(*_parts(run), ts), ys, rtol=1e-7)
    exponent = getattr(dynamics.potential, "exponent", 1.0)
    k = dynamics.potential.rate / 0.04 ** (exponent - 1)  # the excess is -.04 at first
    gap = ys[0, 0] - ys[0, 1] / 4
    expected = solve_ivp(
        lambda t, g: -k * (g - 0.6) ** exponent, (1, 9), [gap], t_eval=ts, rtol=1e-11, atol=1e-13
    ).y[0]
    np.testing.assert_allclose((ys[:, 0] - ys[:, 1])[1:], expected[1:], rtol=1e-8)
    assert expected[0] > expected[1] > expected[2] > 0.6
    ends = run.closed_form(jnp.array([jnp.inf]))[0]
    np.testing.assert_allclose(ends, run.limits()[:2], rtol=1e-12)


@pytest.mark.parametrize(
    ("times", "stands_still"), [([0.0, 4.0], True), ([1.0, 2.0], True), ([6.0, 8.0], False)]
)
def test_limits_are_where_the_curves_end_even_if_a_jump_stops_them(times, stands_still):
    """With nearly no useful data at first, an early injection leaves none at all."""
    law = GapDynamics(LaggedPotential(0.6, 0.2, 0.95), RankOneCoupling(0.4), 2.3, 1.3)
    run = InjectedDynamics(law, ExternalData(jnp.array(times), jnp.array([0.5, 0.5]), 0.2))
    ends = run.closed_form(jnp.array([1e5]))[0]
    for limits in (run.limits(), run.unchecked_limits()):
        np.testing.assert_allclose([limits.solver, limits.verifier], ends, rtol=1e-12)
        np.testing.assert_allclose(limits.gap, ends[0] - ends[1], rtol=1e-12)
    assert bool(run.validity().holds) is not stands_still
    reason = run.validity().reason()
    assert reason is None if not stands_still else "stands still" in reason


def _parts(run):
    return run.dynamics, run.external


def test_misuse_is_refused():
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(1,\)"):
        ExternalData(jnp.ones(2), jnp.ones(1), 1.0)
    for bad, said in (
        (ExternalData(jnp.array([2.0, 1.0]), jnp.ones(2) / 2, 1.0), "in order"),
        (ExternalData(jnp.array([0.0]), jnp.ones(1), 1.0), "none before t0"),
        (ExternalData(jnp.ones(1), -jnp.ones(1), 1.0), "shares must not be negative"),
        (ExternalData(jnp.ones(1), jnp.ones(1), -1.0), "strength must not be negative"),
    ):
        with pytest.raises(eqx.EquinoxRuntimeError, match=said):
            InjectedDynamics(LINEAR, bad).closed_form(TS)
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs 64-bit floats"):
        simulate_injected(LINEAR, EXTERNAL, TS)
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"ts must not be before dynamics.t0"):
        eqx.filter_jit(simulate_injected)(LINEAR, EXTERNAL, jnp.array([0.25, 1.0]))
    for simulated in (simulate, lambda law, ts: simulate_injected(law, EXTERNAL, ts)):
        with pytest.raises(ValueError, match="ts must have at least one time"):
            simulated(LINEAR, [])
        with pytest.raises(ValueError, match=r"ts must not be before dynamics.t0, 0.5: got 0.25"):
            simulated(LINEAR, [0.25, 1.0])
