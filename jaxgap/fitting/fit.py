"""Fitting: from measured curves to a law of motion and where it leads.

Both curves are fitted together by least squares with shared parameters, from several starts, and
every parameter and limit gets a profile-likelihood interval. All numbers are computed in two
compiled programs in 64-bit floats, without changing JAX's global settings.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.errors import InputError
from jaxgap.fitting.arguments import check_law, check_level, check_options
from jaxgap.fitting.batches import fit_curves
from jaxgap.fitting.curves import Curves, padded_length
from jaxgap.fitting.intervals.estimable_noise import noise_is_estimable
from jaxgap.fitting.laws.constrained_law import ConstrainedLaw
from jaxgap.fitting.laws.constraints import Constraint, with_floats
from jaxgap.fitting.laws.given_constraints import check_names, check_visible, constrained
from jaxgap.fitting.laws.law import AbstractLaw
from jaxgap.fitting.least_squares.levenberg_marquardt import LevenbergMarquardt
from jaxgap.fitting.least_squares.minimiser import AbstractMinimiser
from jaxgap.fitting.noise import AbstractNoise, EstimatedScale, JointScale, weighted_curves
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.priors import AbstractPrior, IndexedPrior
from jaxgap.fitting.problem import CurveFn, FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.results.assemble_result import assemble_result
from jaxgap.fitting.results.result import FitResult
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.computable import check_computable


def closed_form(dynamics: AbstractDynamics, ts: Float[Array, " times"]) -> Float[Array, "times 2"]:
    """The curves from the law's closed form: how a fit computes them by default.

    **Raises:**

    `ValueError` if the law has no closed form; :class:`OdeCurves` computes the curves of any law.
    """
    try:
        return dynamics.closed_form(ts)
    except ValueError as error:
        raise ValueError(f"{error}; or, to fit it, give curve_fn=OdeCurves()") from None


def fit(
    law: AbstractLaw,
    trajectory: Trajectory,
    *,
    curve_fn: CurveFn = closed_form,
    minimiser: AbstractMinimiser | None = None,
    level: float = 0.9,
    noise: AbstractNoise | None = None,
    constraints: Mapping[str, Constraint] | None = None,
    priors: Mapping[str, AbstractPrior] | None = None,
) -> FitResult:
    r"""Fit a law to one trajectory by joint least squares over its curves.

    $$\min_\theta \sum_t \Big(\frac{U_s(t) - \hat U_s(t; \theta)}{\sigma_s(t)}\Big)^2
      + \Big(\frac{U_v(t) - \hat U_v(t; \theta)}{\sigma_v(t)}\Big)^2.$$

    The trajectory's standard errors, if given, are used as the $\sigma$, taken as exact; accuracies
    over a known number of items have binomial noise; otherwise all $\sigma$ are equal and estimated
    from the residuals. `noise` overrides this. Accuracies are fitted as error rates and reported
    as accuracies. Without verifier data only the solver's curve is fitted: whatever needs the
    verifier is `None`, with a reason.

    Intervals come from the profile likelihood with Student's t quantiles (normal ones where the
    noise is known). Unlike intervals from the curvature, they keep their coverage when little of
    the decay was observed. They assume that the law is true and the noise independent.

    **Arguments:**

    - `law`: such as :class:`LinearLaw` or :class:`PowerLaw`.
    - `trajectory`: the measurements; `trajectory.between(t0, t1)` selects a time window.
    - `curve_fn`: how to compute the curves of the dynamics: :func:`closed_form`, or
        :class:`OdeCurves`, or any function `(dynamics, ts) -> (times, 2)`.
    - `minimiser`: by default :class:`LevenbergMarquardt`; :class:`OptimistixMinimiser` wraps any
        of Optimistix's solvers.
    - `level`: of the intervals, in (0, 1).
    - `noise`: a model of :mod:`jaxgap.fitting.noise`, such as `StudentT()` against outliers.
    - `constraints`: a :class:`Held`, :class:`Bounded` or :class:`Tied` for each parameter name, in
        the terms of the report. `{"gap_limit": Held(0.0)}` imposes f(0) = 0.
    - `priors`: a :class:`Normal` or :class:`LogNormal` for each parameter name, in the same terms.

    **Returns:**

    A :class:`FitResult`. A fit that did not converge is flagged there and does not raise.

    **Raises:**

    `InputError` (a `ValueError`) if an argument has another type or the level is not in (0, 1), if
    the trajectory lacks what the noise needs, or if a constraint or prior names an unknown
    parameter or one that the trajectory cannot show, or leaves no room, or if a parameter with a
    prior is held; `ValueError` if `curve_fn` needs a closed form the law lacks.

    **Example:**

    >>> import numpy as np
    >>> from jaxgap.fitting import LinearLaw
    >>> ts = np.arange(12.0)
    >>> run = Trajectory(ts, 1 + 2 * np.exp(-0.5 * ts), 0.5 + np.exp(-0.5 * ts))
    >>> result = fit(LinearLaw(), run)
    >>> round(result.parameters["rate"].estimate, 6), round(result.limits["solver"].estimate, 6)
    (0.5, 1.0)

    Source: Sun et al. (arXiv:2507.00075v4), section 4, whose published R^2 an unweighted fit over
    both curves reproduces.
    """
    (result,) = fit_many(
        law,
        [trajectory],
        curve_fn=curve_fn,
        minimiser=minimiser,
        level=level,
        noise=noise,
        constraints=constraints,
        priors=priors,
    )
    return result


def fit_many(
    law: AbstractLaw,
    trajectories: Sequence[Trajectory],
    *,
    curve_fn: CurveFn = closed_form,
    minimiser: AbstractMinimiser | None = None,
    level: float = 0.9,
    noise: AbstractNoise | None = None,
    constraints: Mapping[str, Constraint] | None = None,
    priors: Mapping[str, AbstractPrior] | None = None,
) -> list[FitResult]:
    """Fit a law to each of many trajectories, in parallel batches.

    Trajectories of similar length share a batch. A failed fit is flagged in its own result.

    **Arguments:**

    - `trajectories`: any number, of any lengths.
    - the others: as for :func:`fit`.

    **Returns:**

    One :class:`FitResult` for each trajectory, in their order.

    **Raises:**

    `ValueError` as :func:`fit` does.

    **Example:**

    >>> import numpy as np
    >>> from jaxgap.fitting import LinearLaw
    >>> ts = np.arange(12.0)
    >>> runs = [Trajectory(ts, 1 + np.exp(-rate * ts)) for rate in (0.2, 0.4)]
    >>> [round(result.parameters["rate"].estimate, 6) for result in fit_many(LinearLaw(), runs)]
    [0.2, 0.4]
    """
    check_level(level)
    level = float(level)  # a file and JSON have no float32
    constraints, priors = constraints or {}, priors or {}
    check_law(law)
    check_options(noise, constraints, priors)
    constraints = {name: with_floats(each) for name, each in constraints.items()}
    for trajectory in trajectories:
        check_computable(trajectory)
    batches: dict[tuple, list[_Prepared]] = {}
    for index, run in enumerate(trajectories):
        prepared = _Prepared(index, run, *weighted_curves(run, padded_length(run.num_rows), noise))
        batches.setdefault(prepared.batch, []).append(prepared)
    results: dict[int, FitResult] = {}
    for batch in batches.values():
        problem = FitProblem(
            law, curve_fn, LevenbergMarquardt() if minimiser is None else minimiser, batch[0].noise
        )
        problem = _restricted(problem, batch[0], constraints, priors)
        results |= zip([run.index for run in batch], _fit_alike(problem, batch, level), strict=True)
    return [results[index] for index in range(len(trajectories))]


class _Prepared(NamedTuple):
    """A trajectory prepared for a batch."""

    index: int
    trajectory: Trajectory
    curves: Curves
    noise: AbstractNoise
    remarks: list[str]

    @property
    def batch(self) -> tuple:
        """What all runs of a batch share; noise passed by the caller is the same for all."""
        noise = type(self.noise)
        return len(self.curves.ts), self.curves.has_verifier, self.trajectory.kind, noise


def _restricted(
    problem: FitProblem,
    example: _Prepared,
    constraints: Mapping[str, Constraint],
    priors: Mapping[str, AbstractPrior],
) -> FitProblem:
    """The problem with constraints and priors on the reported parameters."""
    law, noise, held = problem.law, problem.noise, ()
    kind = example.trajectory.kind
    names = [parameter.name for parameter in law.parameters]
    check_names(priors, names, "priors")
    check_visible([*priors], law, example.curves, "priors")
    if constraints:
        law = constrained(law, constraints, example.curves, kind)
        held = (*law.held, *_held_limits(law, example.curves))
        if useless := [names[index] for index in law.held if names[index] in priors]:
            raise InputError(f"priors: {useless[0]} is held, so a prior on it has no effect")
    if priors and isinstance(noise, EstimatedScale):
        noise = JointScale()
    indexed = tuple(
        IndexedPrior(priors[parameter.name], index, parameter.is_mirrored(kind))
        for index, parameter in enumerate(law.parameters)
        if parameter.name in priors
    )
    return FitProblem(law, problem.curve_fn, problem.minimiser, noise, indexed, held)


def _held_limits(law: ConstrainedLaw, curves: Curves) -> list[int]:
    """The indices, after those of the parameters, of limits that follow from held ones alone.

    A limit counts as held if its derivative with respect to every parameter that is not held is
    zero at every start. Derivatives with respect to the coordinates would not do: a tie can be flat
    at the starts and still move during the fit.
    """
    moving = [index for index in range(len(law.parameters)) if index not in law.held]

    def limits(values):
        return jnp.stack(law.from_parameters(values, curves).limits())

    def slopes(start):
        at_start = law.parameter_values(law.dynamics_at(start, curves))
        return jax.jacfwd(limits)(at_start)[:, moving]

    with double_precision():
        found = np.asarray(jax.vmap(slopes)(law.starts(curves)))
    still = ~found.any(axis=(0, 2))
    return (len(law.parameters) + np.flatnonzero(still)).tolist()


def _fit_alike(problem: FitProblem, batch: list[_Prepared], level: float) -> list[FitResult]:
    """Fit trajectories that share a compiled program."""
    curves = [run.curves for run in batch]
    free = problem.num_free(curves[0])
    quantiles = [problem.noise.quantile(level, int(each.num_measurements), free) for each in curves]
    found = fit_curves(problem, curves, free, [quantile or 1.0 for quantile in quantiles])
    return [
        assemble_result(
            problem,
            run.trajectory,
            run.curves,
            raw,
            numbers,
            num_free=free,
            quantile=_if_estimable(problem, run.curves, raw, quantile),
            level=level,
            remarks=run.remarks,
        )
        for run, (raw, numbers), quantile in zip(batch, found, quantiles, strict=True)
    ]


def _if_estimable(
    problem: FitProblem, curves: Curves, raw: RawFit, quantile: float | None
) -> float | None:
    """The quantile, or `None` where the fit shows that the noise cannot be estimated."""
    if quantile is None or curves.tell_no_noise:
        return None
    return quantile if noise_is_estimable(problem, curves, np.asarray(raw.coordinates)) else None
