"""All tests of whether a fit's law holds, and the conclusion from them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves
from jaxgap.fitting.diagnosis.fall import no_fall
from jaxgap.fitting.diagnosis.finding import Finding
from jaxgap.fitting.diagnosis.ratio import constant_ratio
from jaxgap.fitting.diagnosis.regime import one_regime
from jaxgap.fitting.noise.fitted_weights import fitted_weights
from jaxgap.fitting.noise.relative_scale import RelativeScale
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What the tests of a run found.

    - `constant_ratio`, `one_regime`, `solver_keeps`, `verifier_keeps`: each a :class:`Finding`, or
        `None` where the run does not allow the test (no verifier, too few rows, no noise).
    """

    constant_ratio: Finding | None
    one_regime: Finding | None
    solver_keeps: Finding | None
    verifier_keeps: Finding | None

    @property
    def against_the_theory(self) -> list[Finding]:
        """Findings that no potential f of the solver-verifier law allows."""
        found = (self.constant_ratio, self.solver_keeps, self.verifier_keeps)
        return [each for each in found if each is not None and each.significant]

    @property
    def verdict(self) -> str | None:
        """If the theory does not describe this run, that and the evidence; else `None`."""
        evidence = self.against_the_theory
        if not evidence:
            return None
        said = "; ".join(each.sentence for each in evidence)
        return f"the solver-verifier law does not describe this run: {said}"

    def warnings(self) -> list[str]:
        """The verdict, and anything else a reader has to know, in words."""
        found = [] if self.verdict is None else [self.verdict]
        if self.one_regime is not None and self.one_regime.significant:
            found.append(self.one_regime.sentence)
        return found

    def findings(self) -> dict[str, Finding]:
        """Every test that could be run, by name."""
        tests = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: finding for name, finding in tests.items() if finding is not None}

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form; a test that could not be run is null."""
        found = {name: finding.to_dict() for name, finding in self.findings().items()}
        names = [field.name for field in dataclasses.fields(self)]
        return {name: found.get(name) for name in names} | {"verdict": self.verdict}


def diagnose(
    problem: FitProblem,
    curves: Curves,
    coordinates: Float[np.ndarray, " n"],
    time_unit: str,
) -> Diagnosis:
    """Test whether one fitted trajectory agrees with the law, and the theory behind it.

    **Arguments:**

    - `problem`, `curves`, `coordinates`: the law, the measured curves, and the best fit.
    - `time_unit`: for the sentences.

    **Returns:** what each test found; `None` for those that the data do not allow.
    """
    with double_precision():
        found = _linearised(problem, curves, coordinates)
        fitted, jacobian = (np.asarray(leaf) for leaf in found)
    weights = fitted_weights(problem.noise, curves, fitted)
    with np.errstate(over="ignore", invalid="ignore"):  # of a fit that failed
        residuals, jacobian = (fitted - curves.ys) * weights, jacobian * weights[..., None]
    num_rows = int((weights[:, 0] > 0).sum())
    num_series = 1 + curves.has_verifier
    kept = (slice(num_rows), slice(num_series))
    ys, ts = np.asarray(curves.ys)[kept], np.asarray(curves.ts)[:num_rows]
    moved = np.abs(jacobian).max(axis=(0, 1)) > 0
    noise_known = bool(curves.noise_known)
    regime = one_regime(
        residuals[kept], jacobian[..., moved][kept], ts, time_unit, noise_known=noise_known
    )
    solver, verifier = ys[:, 0], ys[:, -1]
    errors = None
    if noise_known or isinstance(problem.noise, RelativeScale):
        errors = (1 / weights[:num_rows, 0], 1 / weights[:num_rows, num_series - 1])
    return Diagnosis(
        constant_ratio=constant_ratio(solver, verifier, errors) if num_series > 1 else None,
        one_regime=regime,
        solver_keeps=no_fall(solver, "solver"),
        verifier_keeps=no_fall(verifier, "verifier") if num_series > 1 else None,
    )


@eqx.filter_jit
def _linearised(problem: FitProblem, curves: Curves, coordinates):
    """The fitted curves, and their derivatives by the coordinates."""

    def fitted(z):
        return problem.curve_fn(problem.dynamics(z, curves), curves.ts)

    return fitted(coordinates), jax.jacfwd(fitted)(coordinates)
