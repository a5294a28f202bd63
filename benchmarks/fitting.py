"""Fits per second: jaxgap's batched Levenberg-Marquardt compared with the alternatives.

Every engine fits the same simulated curves (the paper's linear law, solver and verifier, 2 % noise)
with the same five free parameters, from the same starting point, read off the data, and with the
same tolerances: 1e-8 for the fit, and 1e-8 relative and absolute for the integration where the law
is integrated rather than evaluated in closed form. A fit counts only if its squared error is within
a relative 1e-6 of the best known, the lowest found by any engine here or by searches from eight
starts at tolerances near rounding error. The squared error is computed in closed form at the
parameters that an engine returns, whatever the engine itself minimised.

SciPy is `least_squares(method="lm")`, that is MINPACK, its fastest method on these problems, with
residuals in NumPy: one process, one thread, one curve at a time, as it is normally used. jaxgap and
Optimistix also run in one process but may use every core; `cores` is how many they used.
Compilation time is reported separately. lmfit is given the same residuals as SciPy. pyPESTO with
AMICI integrates compiled C++ with forward sensitivities. lmfit and pyPESTO are skipped, with a
message, if they are not installed.

    pip install -e '.[bench]'                   # lmfit
    python benchmarks/fitting.py --setup        # make the environment of pyPESTO and AMICI, once
    python benchmarks/fitting.py --json fitting.json --plot figures
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fitting_engines
import fitting_growth
import jax
import jax.numpy as jnp
import numpy as np
import peers
from fitting_case import (
    Problems,
    closed_form_residuals,
    lsoda,
    numpy_closed_form,
    numpy_jacobian,
    ode_residuals,
)
from fitting_engines import (
    jaxgap_engine,
    lmfit_engine,
    optimistix_engine,
    pypesto_engine,
    scipy_engine,
)
from interleave import Engine, interleave, paired_ratio
from jaxtyping import Array
from recording import machine, write
from rich.console import Console
from rich.table import Table

from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt

COUNTS_WITHIN = 1e-6


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
    """The fraction of a fit's time that computing its residuals and Jacobians alone would take.

    The bound evaluates and sums them at the fitted parameters, as often as the solver did and with
    the same batch size. The rest of the time is due to the solver, its idle lanes, and trial points
    that are harder to integrate than the fit.
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
            f"{100 * counted[engine.name]:.2f} %",
        )
    table.add_section()
    for name, ratio in ratios.items():
        spread = f"{ratio['lowest']:,.0f} - {ratio['highest']:,.0f}"
        table.add_row(name, f"{ratio['median']:,.1f} x", spread)
    return table


def compare(
    problems: Problems, num_rounds: int, folder: Path
) -> tuple[list[Engine], dict[str, Any]]:
    """Time all engines, and compare jaxgap with the others and Optimistix with SciPy."""
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
        pypesto_engine(problems, folder),
    ]
    _name_left_out(others[0], "lmfit", "pip install -e '.[bench]'")
    _name_left_out(others[-1], "pyPESTO and AMICI", "python benchmarks/fitting.py --setup")
    engines = [engine for pair in batched.values() for engine in pair.values()]
    engines += [*scipy.values(), *(engine for engine in others if engine is not None)]
    interleave(engines, len(problems.y0), num_rounds)
    ratios = {}
    for pair in batched.values():
        for name, peer in scipy.items():
            engine = pair["ODE" if name == "ODE" else "closed form"]
            ratios[f"{engine.name} / {peer.name}"] = paired_ratio(engine, peer)
    for peer in (engine for engine in others if engine is not None):
        ours = batched[jaxgap_engine]["ODE" if peer.name.endswith("ODE") else "closed form"]
        ratios[f"{ours.name} / {peer.name}"] = paired_ratio(ours, peer)
    return engines, ratios


def _name_left_out(engine: Engine | None, name: str, how: str) -> None:
    if engine is None:
        console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        console.print(f"{name} is not installed and was skipped: {how} installs it")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--curves", type=int, default=1000, help="number of curves")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--plot", type=Path, help="also measure growth; plot it in this folder")
    parser.add_argument(
        "--setup", action="store_true", help="create the environment of pyPESTO and AMICI, and exit"
    )
    parser.add_argument(
        "--peers", type=Path, default=peers.DEFAULT_FOLDER, help="folder of that environment"
    )
    options = parser.parse_args()
    if options.setup:
        fitting_engines.set_up(options.peers)
        return
    jax.config.update("jax_enable_x64", True)

    before = machine(["jax", "diffrax", "optimistix", "scipy", "numpy", "lmfit"])
    problems = Problems(options.curves, 20, jax.random.key(0))
    engines, ratios = compare(problems, options.repeats, options.peers)
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
    console = Console(width=130)
    console.print(report(engines, counted, ratios))
    console.print(_remarks(results))
    if options.plot:
        results["growth"] = fitting_growth.growth()
        fitting_growth.draw(results["growth"], options.plot)
    write(results, options.json)


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
