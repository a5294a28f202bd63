"""pyPESTO with AMICI in benchmarks/fitting.py, in its own environment.

AMICI compiles the law, given as SBML, to C++ once and integrates it and its forward sensitivities
with CVODES. From these, pyPESTO minimises the residuals with SciPy's MINPACK, one curve at a time,
in one process, with the same tolerances as the other engines. Each line on standard input is a JSON
list of indices, answered by a line with the solutions and the processor time used so far.

    python fitting_pypesto.py FOLDER_OF_MODELS PROBLEMS.npz
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import amici  # pyright: ignore[reportMissingImports]
import amici.sim.sundials as sundials  # pyright: ignore[reportMissingImports]
import libsbml  # pyright: ignore[reportMissingImports]
import numpy as np
import pypesto  # pyright: ignore[reportMissingImports]
import pypesto.optimize  # pyright: ignore[reportMissingImports]

_TOLERANCE = 1e-8
_PARAMETERS = ("rate", "ratio", "gap_limit", "solver_initial", "verifier_initial")
_SOLVER_RATE = "-rate * (solver - verifier - gap_limit) / (1 - ratio)"
_RATES = {"solver": _SOLVER_RATE, "verifier": f"ratio * ({_SOLVER_RATE})"}
_MODEL = "solver_verifier"


def sbml() -> str:
    """The paper's linear law as an SBML document."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId(_MODEL)
    for name in (*_PARAMETERS, *_RATES):
        parameter = model.createParameter()
        parameter.setId(name)
        parameter.setConstant(name in _PARAMETERS)
        if name in _PARAMETERS:
            parameter.setValue(0.5)
    for name, rate in _RATES.items():
        initial = model.createInitialAssignment()
        initial.setSymbol(name)
        initial.setMath(libsbml.parseL3Formula(f"{name}_initial"))
        rule = model.createRateRule()
        rule.setVariable(name)
        rule.setMath(libsbml.parseL3Formula(rate))
    return libsbml.writeSBMLToString(document)


def model_in(folder: Path) -> Any:
    """The compiled model, built if it does not exist."""
    if not (folder / _MODEL).exists():
        channels = [
            amici.MeasurementChannel(f"observed_{name}", formula=name, sigma=1.0) for name in _RATES
        ]
        importer = amici.SbmlImporter(sbml(), from_file=False)
        importer.sbml2amici(_MODEL, folder / _MODEL, observation_model=channels)
    return amici.import_model_module(_MODEL, folder / _MODEL).get_model()


def fit(model: Any, ts: np.ndarray, data: np.ndarray, y0: np.ndarray) -> np.ndarray:
    """The least-squares parameters; `data` is the solver's values, then the verifier's."""
    solver = model.create_solver()
    solver.set_relative_tolerance(_TOLERANCE)
    solver.set_absolute_tolerance(_TOLERANCE)
    measured = sundials.ExpData(model)
    measured.t_start = float(ts[0])
    measured.set_timepoints(ts)
    measured.set_measurements(data.reshape(2, -1).T.ravel())
    objective = pypesto.AmiciObjective(model, solver, [measured], max_sensi_order=1)
    free = np.full(len(_PARAMETERS), np.inf)
    problem = pypesto.Problem(objective, lb=-free, ub=free)
    optimiser = pypesto.optimize.ScipyOptimizer(
        method="ls_lm", tol=_TOLERANCE, options={"xtol": _TOLERANCE, "gtol": _TOLERANCE}
    )
    return optimiser.minimize(problem, x0=y0, id="0").x


def main() -> None:
    """Answer lines of indices until there are no more."""
    # Libraries' output must not be mistaken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.disable(logging.ERROR)
    models, problems = (Path(argument) for argument in sys.argv[1:])
    model = model_in(models)
    assert tuple(model.get_free_parameter_ids()) == _PARAMETERS
    arrays = np.load(problems)
    cases = list(zip(arrays["ts"], arrays["data"], arrays["y0"], strict=True))
    for line in sys.stdin:
        solutions = [fit(model, *cases[index]).tolist() for index in json.loads(line)]
        answer = {"solutions": solutions, "processor_seconds": time.process_time()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
