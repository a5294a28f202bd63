"""Engines of benchmarks/fitting.py: each fits the curves with the given indices."""

import atexit
import importlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import peers
from fitting_case import PARAMETERS, TOLERANCE, Problems
from interleave import Engine
from jaxtyping import Array
from scipy.optimize import least_squares

from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt

PYPESTO = "pypesto"
_PYPESTO = ("pypesto[amici]==0.7.0", "amici==1.0.1", "petab>=0.8,<0.9")


def set_up(folder: Path) -> None:
    """Make the environment of pyPESTO and AMICI; this needs a C++ compiler and a few minutes."""
    peers.make_environment(folder, PYPESTO, _PYPESTO)


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
        # By name, so that type checking gives the same result with and without it.
        lmfit: Any = importlib.import_module("lmfit")
    except ImportError:
        return None

    def fit_one(y0: np.ndarray, ts: np.ndarray, data: np.ndarray) -> np.ndarray:
        parameters = lmfit.Parameters()
        for parameter, value in zip(PARAMETERS, y0, strict=True):
            parameters.add(parameter, value=value)

        def residuals(parameters) -> np.ndarray:
            return model(np.array([parameters[each].value for each in PARAMETERS]), ts) - data

        tolerances: Any = {"ftol": TOLERANCE, "xtol": TOLERANCE, "gtol": TOLERANCE}
        result: Any = lmfit.minimize(residuals, parameters, method="leastsq", **tolerances)
        return np.array([result.params[each].value for each in PARAMETERS])

    return Engine(f"lmfit, {name}", _one_by_one(fit_one, problems), whole=False)


def _one_by_one(fit_one: Callable, problems: Problems) -> Callable[[np.ndarray], np.ndarray]:
    def fit(indices: np.ndarray) -> np.ndarray:
        return np.stack(
            [fit_one(problems.y0[i], problems.ts[i], problems.data[i]) for i in indices]
        )

    return fit


class _Worker:
    """A process in another environment that answers each line of indices with their fits."""

    def __init__(self, python: Path, script: Path, *arguments: Path):
        environment = os.environ | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
        command = [str(each) for each in (python, script, *arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, env=environment, **pipes)
        atexit.register(self._process.kill)
        self.processor_seconds = 0.0

    def fit(self, indices: np.ndarray) -> np.ndarray:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(indices.tolist()) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("fitting_pypesto.py stopped; its output is above")
        answer = json.loads(line)
        self.processor_seconds = answer["processor_seconds"]
        return np.array(answer["solutions"])


def pypesto_engine(problems: Problems, folder: Path) -> Engine | None:
    """pyPESTO with AMICI, on the ODE, if its environment exists."""
    python = peers.python_of(folder, PYPESTO)
    if not python.exists():
        return None
    data = Path(tempfile.mkdtemp()) / "problems.npz"
    np.savez(data, ts=problems.ts, data=problems.data, y0=problems.y0)
    script = Path(__file__).with_name("fitting_pypesto.py")
    worker = _Worker(python, script, folder / PYPESTO / "models", data)
    return Engine(
        "pyPESTO and AMICI, ODE",
        worker.fit,
        whole=False,
        processor_time=lambda: worker.processor_seconds,
    )
