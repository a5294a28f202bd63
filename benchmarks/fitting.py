"""How many fits a second: jaxgap's batched Levenberg-Marquardt beside SciPy, lmfit and Optimistix.

Every engine fits the same simulated curves (the paper's linear law, solver and verifier, 2 % noise)
with the same five free parameters from the same start, which is read off the data, and with the
same tolerances: 1e-8 for the fit, and 1e-8 relative and absolute for the integration where the law
is integrated rather than evaluated in closed form. A fit counts only if its squared error is
within 1e-6, relatively, of the best known, which is the lowest of all engines here and of
searches from eight starts at tolerances near rounding. The squared error is computed in closed
form at the parameters that an engine returns, whatever it minimised itself.

SciPy is `least_squares(method="lm")`, that is MINPACK, which is its fastest method on these
problems, with residuals in NumPy: one process, one thread, one curve at a time, as it is used.
jaxgap and Optimistix are one process as well and may use every core: `cores` says what they took.
Time to compile is reported apart.

    python benchmarks/fitting.py --json fitting.json --plot figures
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from interleave import Engine, interleave, machine, paired_ratio
from jaxtyping import Array, Float
from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares
from unrolled_tsit5 import UnrolledTsit5

from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling, simulate
from jaxgap.fitting.levenberg_marquardt import levenberg_marquardt

TOLERANCE = 1e-8
COUNTS_WITHIN = 1e-6
TARGETS = {"closed form": 30.0, "closed form, analytic Jacobian": 10.0, "ODE": 50.0}


# The problem, in JAX and in NumPy.


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
    """Simulated curves, and the start that every engine gets."""

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
    """A start from the first points, with round numbers for what they do not show."""
    solver, verifier = data[0], data[len(data) // 2]
    return np.array([0.3, 0.4, 0.1 * (solver - verifier), solver, verifier])


# The engines.


def jaxgap_engine(name: str, residual_fn: Callable, problems: Problems) -> Engine:
    def fit(indices: np.ndarray) -> np.ndarray:
        args = (problems.ts[indices], problems.data[indices])
        return np.asarray(
            levenberg_marquardt(residual_fn, jnp.asarray(problems.y0[indices]), args).y
        )

    return Engine(f"jaxgap, {name}", fit, whole=True)


def optimistix_engine(name: str, residual_fn: Callable, problems: Problems) -> Engine:
    solver = optx.LevenbergMarquardt(rtol=TOLERANCE, atol=TOLERANCE)

    @jax.jit
    @jax.vmap
    def solve(y0: Array, args: Any) -> Array:
        return optx.least_squares(
            residual_fn, solver, y0, args, options={"jac": "fwd"}, max_steps=200, throw=False
        ).value

    def fit(indices: np.ndarray) -> np.ndarray:
        return np.asarray(
            solve(problems.y0[indices], (problems.ts[indices], problems.data[indices]))
        )

    return Engine(f"Optimistix vmapped, {name}", fit, whole=True)


def scipy_engine(
    name: str, model: Callable, problems: Problems, jacobian: Callable | None = None
) -> Engine:
    def fit_one(y0: np.ndarray, ts: np.ndarray, data: np.ndarray) -> np.ndarray:
        derivative: Any = "2-point" if jacobian is None else partial(jacobian, ts=ts)
        return least_squares(
            lambda y: model(y, ts) - data,
            y0,
            jac=derivative,
            method="lm",
            ftol=TOLERANCE,
            xtol=TOLERANCE,
            gtol=TOLERANCE,
        ).x

    return Engine(f"SciPy, {name}", _one_by_one(fit_one, problems), whole=False)


def lmfit_engine(name: str, model: Callable, problems: Problems) -> Engine | None:
    try:
        import lmfit  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    names = ["rate", "ratio", "gap_limit", "solver_initial", "verifier_initial"]

    def fit_one(y0: np.ndarray, ts: np.ndarray, data: np.ndarray) -> np.ndarray:
        parameters = lmfit.Parameters()
        for parameter, value in zip(names, y0, strict=True):
            parameters.add(parameter, value=value)

        def residuals(parameters) -> np.ndarray:
            return model(np.array([parameters[each].value for each in names]), ts) - data

        tolerances: Any = {"ftol": TOLERANCE, "xtol": TOLERANCE, "gtol": TOLERANCE}
        result: Any = lmfit.minimize(residuals, parameters, method="leastsq", **tolerances)
        return np.array([result.params[each].value for each in names])

    return Engine(f"lmfit, {name}", _one_by_one(fit_one, problems), whole=False)


def _one_by_one(fit_one: Callable, problems: Problems) -> Callable[[np.ndarray], np.ndarray]:
    def fit(indices: np.ndarray) -> np.ndarray:
        return np.stack(
            [fit_one(problems.y0[i], problems.ts[i], problems.data[i]) for i in indices]
        )

    return fit


# What is measured.


def best_known(problems: Problems, engines: Sequence[Engine]) -> np.ndarray:
    """The lowest squared error of each curve, over all engines and eight careful searches."""
    num_curves = len(problems.y0)
    factors = np.array([0.2, 0.35, 0.6, 1.0, 1.5, 2.2, 3.0, 4.0])
    lowest = np.full(num_curves, np.inf)
    for factor in factors:
        start = jnp.asarray(problems.y0 * np.array([factor, 1, 1, 1, 1]))
        data = (problems.ts, problems.data)
        careful = levenberg_marquardt(
            closed_form_residuals, start, data, ftol=1e-15, xtol=1e-14, gtol=0.0, max_steps=500
        )
        errors = [problems.squared_error(i, y) for i, y in enumerate(np.asarray(careful.y))]
        lowest = np.fmin(lowest, errors)
    for engine in engines:
        for index, y in engine.solutions.items():
            lowest[index] = np.fmin(lowest[index], problems.squared_error(index, y))
    return lowest


def fraction_counted(engine: Engine, problems: Problems, lowest: np.ndarray) -> float:
    counted = [
        problems.squared_error(index, y) <= (1 + COUNTS_WITHIN) * lowest[index]
        for index, y in engine.solutions.items()
    ]
    return float(np.mean(counted))


def integration_errors(problems: Problems, solutions: dict[int, np.ndarray]) -> dict[str, float]:
    """The largest error of either integrator at the fitted parameters, relative to the start."""
    errors = {"diffrax": 0.0, "lsoda": 0.0}
    integrate = jax.jit(ode_residuals)
    for index, y in list(solutions.items())[:100]:
        ts = problems.ts[index]
        exact = numpy_closed_form(y, ts)
        curves = {"diffrax": integrate(y, (ts, np.zeros(2 * len(ts)))), "lsoda": lsoda(y, ts)}
        for name, curve in curves.items():
            error = float(np.max(np.abs(np.asarray(curve) - exact)) / abs(y[3]))
            errors[name] = max(errors[name], error)
    return errors


def time_against_bound(residual_fn: Callable, problems: Problems, num_rounds: int) -> dict:
    """The part of a fit's time that its residuals and their Jacobians alone would take.

    The bound evaluates them at the fits, as often as the solver did and in the same number of
    lanes, and adds them up. What is above it is the solver, its idle lanes, and trial points that
    are harder to integrate than the fit.
    """

    @jax.jit
    def evaluate(y0: Array, args: Any) -> Array:
        def one(case: Any) -> Array:
            y, args = case
            jvp = lambda v: jax.jvp(lambda y: residual_fn(y, args), (y,), (v,))  # noqa: E731
            residuals, columns = jax.vmap(jvp, out_axes=(None, 0))(jnp.eye(len(y)))
            return jnp.sum(residuals) + jnp.sum(columns)

        return jnp.sum(jax.lax.map(one, (y0, args), batch_size=64))

    y0, args = jnp.asarray(problems.y0), (jnp.asarray(problems.ts), jnp.asarray(problems.data))
    solve = lambda: levenberg_marquardt(residual_fn, y0, args)  # noqa: E731
    fitted = solve()
    evaluations = 1 + float(jnp.mean(fitted.num_steps))
    evaluate(fitted.y, args).block_until_ready()
    pairs = []
    for _ in range(num_rounds):
        start = time.perf_counter()
        solve().cost.block_until_ready()
        middle = time.perf_counter()
        evaluate(fitted.y, args).block_until_ready()
        pairs.append((middle - start, evaluations * (time.perf_counter() - middle)))
    per_fit = 1e6 * np.median(np.array(pairs), axis=0) / len(y0)
    return {
        "evaluations_per_fit": evaluations,
        "microseconds_per_fit": float(per_fit[0]),
        "bound_microseconds_per_fit": float(per_fit[1]),
        "fraction_of_bound": float(np.median([bound / whole for whole, bound in pairs])),
    }


# Growth.


def bumps(y: Float[Array, " params"], args: Any) -> Float[Array, " rows"]:
    """Gaussian bumps of unknown heights and places, for any even number of parameters."""
    ts, data = args
    heights, places = y[::2], y[1::2]
    return jnp.sum(heights * jnp.exp(-((ts[:, None] - places) ** 2)), axis=1) - data


def bump_problems(num_curves: int, num_params: int, key: Array) -> tuple[Array, Any]:
    places = 3.0 * jnp.arange(num_params // 2)
    centre = jnp.stack([jnp.ones_like(places), places], axis=1).ravel()
    truth = centre + 0.2 * jax.random.uniform(key, (num_curves, num_params))
    ts = jnp.broadcast_to(jnp.linspace(-2.0, 11.0, 40), (num_curves, 40))
    data = jax.vmap(bumps)(truth, (ts, jnp.zeros((num_curves, 40))))
    noise = 0.01 * jax.random.normal(key, data.shape)
    return jnp.broadcast_to(centre, truth.shape), (ts, data + noise)


def growth() -> dict[str, list[tuple[int, float]]]:
    """Fits per second over the batch, the points of a curve, and the parameters: best of ten.

    Nothing is compared within a round here, so the least disturbed round is the one to keep.
    """
    key = jax.random.key(1)
    rates: dict[str, list[tuple[int, float]]] = {"batch": [], "points": [], "parameters": []}

    def rate(residual_fn: Callable, y0: Any, args: Any) -> float:
        solve = lambda: levenberg_marquardt(residual_fn, y0, args).cost.block_until_ready()  # noqa: E731
        solve()
        seconds = []
        for _ in range(10):
            start = time.perf_counter()
            solve()
            seconds.append(time.perf_counter() - start)
        return len(y0) / min(seconds)

    for size in (1, 10, 100, 1000, 10_000, 50_000):
        problems = Problems(size, 20, key)
        data = (problems.ts, problems.data)
        rates["batch"].append((size, rate(closed_form_residuals, problems.y0, data)))
    for num_points in (5, 10, 20, 40, 80, 160):
        problems = Problems(1000, num_points, key)
        data = (problems.ts, problems.data)
        rates["points"].append((num_points, rate(closed_form_residuals, problems.y0, data)))
    for num_params in (2, 4, 6, 8):
        rates["parameters"].append((num_params, rate(bumps, *bump_problems(1000, num_params, key))))
    return rates


# What is shown.


def report(engines: Sequence[Engine], counted: dict[str, float], ratios: dict[str, Any]) -> Table:
    table = Table(title="Fits per second, engines in turn; ratios to SciPy within each round")
    for column in (
        "engine",
        "fits/s (median)",
        "lowest - highest",
        "cores",
        "compile s",
        "counted",
    ):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for engine in engines:
        rates = np.array(engine.fits_per_second)
        table.add_row(
            engine.name,
            f"{np.median(rates):,.1f}",
            f"{rates.min():,.1f} - {rates.max():,.1f}",
            f"{np.median(engine.cores_used):.1f}",
            f"{engine.compile_seconds:.1f}" if engine.whole else "",
            f"{100 * counted[engine.name]:.1f} %",
        )
    table.add_section()
    for name, ratio in ratios.items():
        spread = f"{ratio['lowest']:,.0f} - {ratio['highest']:,.0f}"
        target = f"target {ratio['target']:.0f}" if ratio["target"] else ""
        table.add_row(name, f"{ratio['median']:,.1f} x", spread, target)
    return table


def draw(rates: dict[str, list[tuple[int, float]]], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    labels = {"batch": "curves in the batch", "points": "points of each series"}
    for name, pairs in rates.items():
        figure, axes = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
        axes.loglog(*zip(*pairs, strict=True), marker="o")
        axes.set(xlabel=labels.get(name, name), ylabel="fits per second")
        axes.set_xticks([size for size, _ in pairs], [f"{size:,}" for size, _ in pairs])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        figure.savefig(folder / f"growth_{name}.png", dpi=150)
        plt.close(figure)


def compare(problems: Problems, num_rounds: int) -> tuple[list[Engine], dict[str, Any]]:
    """Time all engines, and relate jaxgap and Optimistix to SciPy."""
    closed, ode = closed_form_residuals, ode_residuals
    scipy = {
        "closed form": scipy_engine("closed form", numpy_closed_form, problems),
        "closed form, analytic Jacobian": scipy_engine(
            "closed form, analytic Jacobian", numpy_closed_form, problems, numpy_jacobian
        ),
        "ODE": scipy_engine("ODE", lsoda, problems),
    }
    batched = {
        make: {
            "closed form": make("closed form", closed, problems),
            "ODE": make("ODE", ode, problems),
        }
        for make in (jaxgap_engine, optimistix_engine)
    }
    others = [
        lmfit_engine("closed form", numpy_closed_form, problems),
        lmfit_engine("ODE", lsoda, problems),
    ]
    engines = [engine for pair in batched.values() for engine in pair.values()]
    engines += [*scipy.values(), *(engine for engine in others if engine is not None)]
    interleave(engines, len(problems.y0), num_rounds)
    ratios = {}
    for make, pair in batched.items():
        for name, peer in scipy.items():
            engine = pair["ODE" if name == "ODE" else "closed form"]
            target = TARGETS[name] if make is jaxgap_engine else None
            ratios[f"{engine.name} / {peer.name}"] = paired_ratio(engine, peer) | {"target": target}
    return engines, ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--curves", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--plot", type=Path, help="draw the growth into this folder")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)

    before = machine(["jax", "diffrax", "optimistix", "scipy", "numpy", "lmfit"])
    problems = Problems(options.curves, 20, jax.random.key(0))
    engines, ratios = compare(problems, options.repeats)
    lowest = best_known(problems, engines)
    counted = {engine.name: fraction_counted(engine, problems, lowest) for engine in engines}
    results = {
        "machine": before | {"load_average_after": machine([])["load_average"]},
        "curves": options.curves,
        "engines": {
            engine.name: {
                "fits_per_second": engine.fits_per_second,
                "cores_used": engine.cores_used,
                "compile_seconds": engine.compile_seconds if engine.whole else None,
                "fraction_counted": counted[engine.name],
            }
            for engine in engines
        },
        "ratios": ratios,
        "integration_errors": integration_errors(problems, engines[1].solutions),
        "bound": {
            "closed form": time_against_bound(closed_form_residuals, problems, options.repeats),
            "ODE": time_against_bound(ode_residuals, problems, options.repeats),
        },
    }
    console = Console(width=120)
    console.print(report(engines, counted, ratios))
    console.print(_remarks(results))
    if options.plot:
        results["growth"] = growth()
        draw(results["growth"], options.plot)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


def _remarks(results: dict) -> str:
    errors = results["integration_errors"]
    load = [results["machine"][key][0] for key in ("load_average", "load_average_after")]
    lines = [
        f"{results['machine']['cores']} cores, load {load[0]:.1f} before and {load[1]:.1f} after.",
        f"Largest error of an integration at the fits, relative to U_s(t0): Diffrax "
        f"{errors['diffrax']:.1e}, LSODA {errors['lsoda']:.1e}.",
    ]
    for name, bound in results["bound"].items():
        lines.append(
            f"{name}: {bound['evaluations_per_fit']:.1f} evaluations and "
            f"{bound['microseconds_per_fit']:,.1f} us a fit; residuals and Jacobians alone take "
            f"{bound['bound_microseconds_per_fit']:,.1f} us, "
            f"{100 * bound['fraction_of_bound']:.0f} %."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
