"""The two capabilities in closed form and by Diffrax, against each other and against SciPy."""

import subprocess
import sys

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
    AbstractDynamics,
    AbstractPotential,
    GapDynamics,
    LinearPotential,
    PowerPotential,
    RankOneCoupling,
    conserved_quantity,
    simulate,
)
from jaxgap.dynamics.simulation import DEFAULT_CONTROLLER

LINEAR = GapDynamics(LinearPotential(0.35, 0.04), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
POWER = GapDynamics(PowerPotential(0.45, 0.01, 1.5), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
GROWING = GapDynamics(PowerPotential(0.45, 0.9, 1.5), RankOneCoupling(0.4), 0.96, 0.40, t0=0.5)
DYNAMICS = {"linear": LINEAR, "power": POWER, "growing gap": GROWING}
TS = np.linspace(0.5, 10.0, 20)


class Saturating(AbstractPotential):
    """A potential as a user might write it, without its closed form."""

    rate: float
    gap_limit: float = 0.0

    def closing_speed(self, gap, gap_initial):
        return self.rate * jnp.tanh(gap)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=DYNAMICS, name="dynamics")
def _dynamics(request):
    return DYNAMICS[request.param]


def test_closed_form_agrees_with_scipy(dynamics):
    """The paper's equations, alpha and beta written out, integrated by another library."""
    alpha, k = 2.0, 1.7
    beta = 0.4 * alpha
    limit = dynamics.potential.gap_limit
    exponent = getattr(dynamics.potential, "exponent", 1.0)
    excess = dynamics.gap_initial - limit
    k = dynamics.potential.rate / (alpha - beta) / abs(excess) ** (exponent - 1)

    def field(t, y):
        gap = y[0] - y[1] - limit
        energy = k * np.sign(excess) * max(gap * np.sign(excess), 0.0) ** exponent
        return [-alpha * energy, -beta * energy]

    expected = solve_ivp(field, (0.5, 10), [0.96, 0.40], t_eval=TS, rtol=1e-11, atol=1e-13).y.T
    np.testing.assert_allclose(dynamics.closed_form(TS), expected, rtol=1e-8)


def test_simulation_agrees_with_closed_form(dynamics):
    solution = simulate(dynamics, TS)
    np.testing.assert_allclose(solution.ys, dynamics.closed_form(TS), rtol=1e-8)


def test_linear_limit_is_the_papers():
    """U_s_inf = (alpha U_v0 - beta U_s0 + alpha G_inf) / (alpha - beta)."""
    alpha, beta = 1.0, 0.4
    limits = LINEAR.limits()
    expected = (alpha * 0.40 - beta * 0.96 + alpha * 0.04) / (alpha - beta)
    np.testing.assert_allclose(limits, [expected, expected - 0.04, 0.04], rtol=1e-12)


def test_limits_are_reached():
    late = LINEAR.closed_form(jnp.array([200.0]))[0]
    np.testing.assert_allclose(late, LINEAR.limits()[:2], rtol=1e-12)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_gradients_of_the_closed_form(dynamics, mode):
    dynamics = jax.tree.map(jnp.asarray, dynamics)
    check_grads(
        lambda d, ts: d.closed_form(ts),
        (dynamics, jnp.asarray(TS[1:])),
        order=1,
        modes=[mode],
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("adjoint", "mode"),
    [
        (diffrax.RecursiveCheckpointAdjoint(), "rev"),
        pytest.param(diffrax.DirectAdjoint(), "fwd", marks=pytest.mark.slow),
        (diffrax.ForwardMode(), "fwd"),
    ],
)
def test_gradients_of_the_simulation(adjoint, mode):
    dynamics = jax.tree.map(jnp.asarray, POWER)

    @jax.jit
    def fn(d):
        return simulate(d, TS[1:6], adjoint=adjoint, max_steps=256).ys

    check_grads(fn, (dynamics,), order=1, modes=[mode], rtol=1e-4)


@pytest.mark.parametrize("ts", [[0.5, 0.5], [0.5, 2.0]], ids=repr)
@pytest.mark.parametrize(
    ("adjoint", "jacobian"),
    [
        pytest.param(None, jax.jacrev, marks=pytest.mark.slow),
        (diffrax.ForwardMode(), jax.jacfwd),
    ],
    ids=["rev", "fwd"],
)
def test_slopes_by_times_at_the_start(ts, adjoint, jacobian):
    """Also where no time passes and the solver takes no step."""

    def simulated(t0, ts):
        law = eqx.tree_at(lambda d: d.t0, POWER, t0)
        return simulate(law, ts, adjoint=adjoint, max_steps=64).ys

    def exact(t0, ts):
        return eqx.tree_at(lambda d: d.t0, POWER, t0).closed_form(ts)

    at = jnp.array(0.5), jnp.array(ts)
    found, expected = (jacobian(fn, argnums=(0, 1))(*at) for fn in (simulated, exact))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
    np.testing.assert_array_equal(simulated(*at)[0], POWER.initial_state)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(
            lambda fn: jax.hessian(lambda rate: fn(rate, diffrax.DirectAdjoint())),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda fn: jax.jacfwd(jax.jacfwd(lambda rate: fn(rate, diffrax.ForwardMode()))),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["hessian of a direct adjoint", "forwards twice"],
)
def test_second_derivatives_of_the_simulation(second):
    def solver(rate, adjoint):
        law = eqx.tree_at(lambda d: d.potential.rate, POWER, rate)
        return simulate(law, jnp.array([2.0]), adjoint=adjoint, max_steps=32).ys[0, 0]

    def exact(rate):
        return eqx.tree_at(lambda d: d.potential.rate, POWER, rate).closed_form([2.0])[0, 0]

    found, expected = second(solver)(0.45), jax.hessian(exact)(0.45)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Pulse(AbstractDynamics):
    """Constant but for the time from 500 to 501, in which the solver falls by one."""

    solver_initial: float = 3.0
    verifier_initial: float = 1.0
    t0: float = 0.0

    def vector_field(self, t, y, args=None):
        return jnp.stack([-((t > 500) & (t < 501)).astype(float), jnp.zeros(())])

    def closed_form(self, ts):
        raise NotImplementedError

    def limits(self):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("controller", "end"),
    [
        (DEFAULT_CONTROLLER, 3.0),
        (diffrax.ClipStepSizeController(DEFAULT_CONTROLLER, jump_ts=[500.0, 501.0]), 2.0),
        (diffrax.PIDController(rtol=1e-9, atol=1e-12, dtmax=0.5), 2.0),
    ],
    ids=["stepped over", "times of jumps", "bounded steps"],
)
def test_a_narrow_pulse_is_found_as_the_documentation_says(controller, end):
    solution = simulate(Pulse(), [400.0, 1000.0], stepsize_controller=controller)
    np.testing.assert_allclose(solution.ys, [[3.0, 1.0], [end, 1.0]], rtol=1e-5)


def test_simulation_under_jit_and_vmap():
    rates = jnp.array([0.1, 0.35, 2.0])

    def ys(rate):
        return simulate(eqx.tree_at(lambda d: d.potential.rate, LINEAR, rate), TS).ys

    batched = jax.jit(jax.vmap(ys))(rates)
    np.testing.assert_allclose(batched, jnp.stack([ys(r) for r in rates]), rtol=1e-7)


def test_new_parameter_values_do_not_compile_again():
    jitted = jax.jit(lambda d: simulate(d, TS).ys)
    for rate in (0.1, 0.2):
        jitted(GapDynamics(LinearPotential(rate, 0.0), RankOneCoupling(0.4), 0.96, 0.4))
    assert jitted._cache_size() == 1


def test_diffrax_objects_reach_diffrax():
    dense = simulate(
        LINEAR,
        TS,
        ode_solver=diffrax.Dopri8(),
        stepsize_controller=diffrax.PIDController(rtol=1e-6, atol=1e-8),
        saveat=diffrax.SaveAt(dense=True),
        dt0=0.1,
    )
    np.testing.assert_allclose(dense.evaluate(3.21), LINEAR.closed_form([3.21])[0], rtol=1e-5)


def test_a_failed_solve_says_so():
    solution = simulate(LINEAR, TS, max_steps=2, throw=False)
    assert solution.result == diffrax.RESULTS.max_steps_reached
    with pytest.raises(eqx.EquinoxRuntimeError, match="maximum number of solver steps"):
        simulate(LINEAR, TS, max_steps=2)


def test_misuse_is_refused():
    with pytest.raises(
        ValueError, match=r"Saturating has no closed form: use jaxgap\.dynamics\.simulate"
    ):
        GapDynamics(Saturating(0.3), RankOneCoupling(0.4), 0.9, 0.4).closed_form(TS)
    with pytest.raises(ValueError, match=r"ts must have one dimension, got shape \(\)"):
        simulate(LINEAR, 3.0)
    with pytest.raises(ValueError, match=r"ts must be finite, got \[1\.0, nan, 2\.0\]"):
        simulate(LINEAR, np.array([1.0, np.nan, 2.0]))
    with pytest.raises(ValueError, match=r"ts must increase, got \[1\.0, 3\.0, 2\.0\]"):
        simulate(LINEAR, np.array([1.0, 3.0, 2.0]))
    assert simulate(LINEAR, np.array([1.0, 2.0, 2.0])).ys.shape == (3, 2)
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs 64-bit floats"):
        simulate(LINEAR, TS)


def test_any_potential_can_be_simulated():
    dynamics = GapDynamics(Saturating(0.3), RankOneCoupling(0.4), 0.9, 0.4)
    ys = simulate(dynamics, TS).ys
    # sinh(G) decays exponentially where dG/dt = -rate tanh(G).
    expected = jnp.arcsinh(jnp.sinh(0.5) * jnp.exp(-0.3 * TS))
    np.testing.assert_allclose(ys[:, 0] - ys[:, 1], expected, rtol=1e-7)


@settings(deadline=None, max_examples=50)
@given(
    rate=st.floats(1e-3, 1e3),
    exponent=st.floats(1.0, 6.0),
    ratio=st.floats(0.0, 0.95),
    limit=st.floats(-1e2, 1e2),
    solver=st.floats(-1e2, 1e2),
    verifier=st.floats(-1e2, 1e2),
)
def test_the_conserved_quantity_is_conserved(rate, exponent, ratio, limit, solver, verifier):
    dynamics = GapDynamics(
        PowerPotential(rate, limit, exponent), RankOneCoupling(ratio), solver, verifier
    )
    ys = dynamics.closed_form(jnp.linspace(0.0, 10.0 / rate, 9))
    kept = np.asarray(conserved_quantity(dynamics, ys))
    np.testing.assert_allclose(kept, kept[0], atol=1e-12 * 1e2 / (1 - ratio) * 10)


def test_closed_forms_do_not_load_diffrax():
    code = "import sys, jaxgap.dynamics as d; assert 'diffrax' not in sys.modules; d.simulate"
    subprocess.run([sys.executable, "-c", code], check=True)
