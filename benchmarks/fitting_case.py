"""The curves of benchmarks/fitting.py, and their residuals in JAX and in NumPy."""

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.integrate import solve_ivp
from unrolled_tsit5 import UnrolledTsit5

from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling, simulate

TOLERANCE = 1e-8
PARAMETERS = ("rate", "ratio", "gap_limit", "solver_initial", "verifier_initial")


def dynamics(y: Float[Array, "5"], t0: Float[Array, ""]) -> GapDynamics:
    """The linear law at y = [rate, ratio, gap_limit, solver_initial, verifier_initial]."""
    rate, ratio, gap_limit, solver_initial, verifier_initial = y
    return GapDynamics(
        potential=LinearPotential(rate, gap_limit),
        coupling=RankOneCoupling(ratio),
        solver_initial=solver_initial,
        verifier_initial=verifier_initial,
        t0=t0,
    )


def closed_form_residuals(y: Float[Array, "5"], args: Any) -> Float[Array, " rows"]:
    ts, data = args
    return dynamics(y, ts[0]).closed_form(ts).T.ravel() - data


def ode_residuals(y: Float[Array, "5"], args: Any) -> Float[Array, " rows"]:
    ts, data = args
    solution = simulate(
        dynamics(y, ts[0]),
        ts,
        ode_solver=UnrolledTsit5(),
        stepsize_controller=diffrax.PIDController(rtol=TOLERANCE, atol=TOLERANCE),
        adjoint=diffrax.ForwardMode(),
        max_steps=512,
        throw=False,
    )
    assert solution.ys is not None
    return solution.ys.T.ravel() - data


def numpy_closed_form(y: np.ndarray, ts: np.ndarray) -> np.ndarray:
    rate, ratio, gap_limit, solver_initial, verifier_initial = y
    decayed = np.expm1(-rate * (ts - ts[0]))
    change = (solver_initial - verifier_initial - gap_limit) * decayed / (1 - ratio)
    return np.concatenate([solver_initial + change, verifier_initial + ratio * change])


def numpy_jacobian(y: np.ndarray, ts: np.ndarray) -> np.ndarray:
    rate, ratio, gap_limit, solver_initial, verifier_initial = y
    elapsed = ts - ts[0]
    excess = solver_initial - verifier_initial - gap_limit
    share = np.expm1(-rate * elapsed) / (1 - ratio)
    change = excess * share
    by_rate = -excess * elapsed * np.exp(-rate * elapsed) / (1 - ratio)
    by_ratio = change / (1 - ratio)
    solver = np.stack([by_rate, by_ratio, -share, 1 + share, -share], axis=1)
    verifier = ratio * solver
    verifier[:, 1] += change
    verifier[:, 3] -= ratio
    verifier[:, 4] += 1
    return np.concatenate([solver, verifier])


def lsoda(y: np.ndarray, ts: np.ndarray) -> np.ndarray:
    rate, ratio, gap_limit, solver_initial, verifier_initial = y

    def vector_field(t: float, state: np.ndarray) -> tuple[float, float]:
        solver_rate = -rate * (state[0] - state[1] - gap_limit) / (1 - ratio)
        return solver_rate, ratio * solver_rate

    solution = solve_ivp(
        vector_field,
        (ts[0], ts[-1]),
        (solver_initial, verifier_initial),
        method="LSODA",
        t_eval=ts,
        rtol=TOLERANCE,
        atol=TOLERANCE,
    )
    return solution.y.ravel() if solution.success else np.full(2 * len(ts), np.nan)


class Problems:
    """Simulated curves, and the starting point of every engine."""

    def __init__(self, num_curves: int, num_points: int, key: Array):
        keys = jax.random.split(key, 6)

        def uniform(key: Array, low: float, high: float) -> Array:
            return jax.random.uniform(key, (num_curves,), minval=low, maxval=high)

        solver_initial = uniform(keys[0], 50.0, 150.0)
        gap_initial = solver_initial * uniform(keys[1], 0.3, 0.7)
        gap_limit = gap_initial * uniform(keys[2], 0.0, 0.2)
        rate = jnp.exp(uniform(keys[3], np.log(0.1), 0.0))
        ratio = uniform(keys[4], 0.1, 0.7)
        verifier_initial = solver_initial - gap_initial
        truth = jnp.stack([rate, ratio, gap_limit, solver_initial, verifier_initial], axis=1)
        ts = jnp.broadcast_to(jnp.linspace(0.5, 10.0, num_points), (num_curves, num_points))
        nothing = jnp.zeros((num_curves, 2 * num_points))
        curves = jax.vmap(closed_form_residuals)(truth, (ts, nothing))
        noise = 0.02 * solver_initial[:, None] * jax.random.normal(keys[5], curves.shape)
        self.ts, self.data = np.asarray(ts), np.asarray(curves + noise)
        self.y0 = np.stack([_start(data) for data in self.data])

    def squared_error(self, index: int, y: np.ndarray) -> float:
        return float(np.sum((numpy_closed_form(y, self.ts[index]) - self.data[index]) ** 2))


def _start(data: np.ndarray) -> np.ndarray:
    """A starting point from the first data points, with round numbers for the other parameters."""
    solver, verifier = data[0], data[len(data) // 2]
    return np.array([0.3, 0.4, 0.1 * (solver - verifier), solver, verifier])
