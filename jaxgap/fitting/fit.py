"""Fitting: from measured curves to a law of motion and where it leads.

Both curves are fitted together by least squares with shared parameters, from several starts, and
every parameter and limit gets a profile-likelihood interval. All numbers are computed in one
compiled program in 64-bit floats, without changing jax's settings for anyone else.
"""

from collections.abc import Sequence
from itertools import groupby

from jaxtyping import Array, Float
from scipy.special import ndtri, stdtrit

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.errors import InputError
from jaxgap.fitting.batches import fit_curves
from jaxgap.fitting.bijectors import Fixed
from jaxgap.fitting.core import CurveFn, Problem
from jaxgap.fitting.curves import Curves, curves_of, padded_length
from jaxgap.fitting.law import AbstractLaw
from jaxgap.fitting.least_squares import AbstractMinimiser
from jaxgap.fitting.levenberg_marquardt import LevenbergMarquardt
from jaxgap.fitting.reading import read_result
from jaxgap.fitting.result import FitResult
from jaxgap.trajectory import Trajectory
from jaxgap.trajectory.computable import check_computable


def closed_form(dynamics: AbstractDynamics, ts: Float[Array, " times"]) -> Float[Array, "times 2"]:
    """The curves by the law's closed form: the default way for a fit to compute them.

    **Raises:**

    `ValueError` if the law has none; :class:`OdeCurves` computes the curves of any law.
    """
    return dynamics.closed_form(ts)


def fit(
    law: AbstractLaw,
    trajectory: Trajectory,
    *,
    curve_fn: CurveFn = closed_form,
    minimiser: AbstractMinimiser | None = None,
    level: float = 0.9,
) -> FitResult:
    r"""Fit a law to one trajectory by joint least squares over its curves.

    $$\min_\theta \sum_t \Big(\frac{U_s(t) - \hat U_s(t; \theta)}{\sigma_s(t)}\Big)^2
      + \Big(\frac{U_v(t) - \hat U_v(t; \theta)}{\sigma_v(t)}\Big)^2.$$

    The trajectory's standard errors, if it has them, are the $\sigma$, taken as true; for
    accuracies with a known number of items they are binomial; otherwise all $\sigma$ are equal and
    estimated from the residuals. Accuracies are fitted as error rates and reported as accuracies.
    A trajectory without a verifier shows the solver's curve alone: what needs the verifier is
    `None`, with a reason.

    Intervals are from the profile likelihood with Student's t (the normal distribution where the
    noise is known), which holds its level where little of the decay was seen, unlike one from
    curvature. They take the law to be true and the noise to be independent.

    **Arguments:**

    - `law`: such as :class:`LinearLaw` or :class:`PowerLaw`.
    - `trajectory`: the measurements.
    - `curve_fn`: how to compute the curves of the dynamics: :func:`closed_form`, or
        :class:`OdeCurves`, or any function `(dynamics, ts) -> (times, 2)`.
    - `minimiser`: by default :class:`LevenbergMarquardt`; :class:`OptimistixMinimiser` takes any
        of Optimistix's solvers.
    - `level`: of the intervals, in (0, 1).

    **Returns:**

    A :class:`FitResult`. A fit that did not converge says so there, and does not raise.

    **Raises:**

    `InputError` (a `ValueError`) if the level is not in (0, 1), and `ValueError` if the law has no
    closed form while `curve_fn` needs it.

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
    (result,) = fit_many(law, [trajectory], curve_fn=curve_fn, minimiser=minimiser, level=level)
    return result


def fit_many(
    law: AbstractLaw,
    trajectories: Sequence[Trajectory],
    *,
    curve_fn: CurveFn = closed_form,
    minimiser: AbstractMinimiser | None = None,
    level: float = 0.9,
) -> list[FitResult]:
    """Fit a law to each of many trajectories, side by side in batches.

    Trajectories of similar length share a batch. One whose fit fails says so in its own result.

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
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, got {level}")
    for trajectory in trajectories:
        check_computable(trajectory)
    problem = Problem(law, curve_fn, LevenbergMarquardt() if minimiser is None else minimiser)

    def batch_of(index: int) -> tuple[int, bool]:
        run = trajectories[index]
        return padded_length(run.num_rows), run.verifier is not None

    results: dict[int, FitResult] = {}
    for (length, _), group in groupby(sorted(range(len(trajectories)), key=batch_of), batch_of):
        indices = list(group)
        runs = [trajectories[index] for index in indices]
        results |= zip(indices, _fit_alike(problem, runs, length, level), strict=True)
    return [results[index] for index in range(len(trajectories))]


def _fit_alike(
    problem: Problem, trajectories: list[Trajectory], length: int, level: float
) -> list[FitResult]:
    """Fit trajectories of one padded length."""
    prepared = [curves_of(run, length) for run in trajectories]
    curves = [each for each, _ in prepared]
    num_free = _num_free(problem.law, curves[0])
    quantiles = [_quantile(each, num_free, level) for each in curves]
    raw = fit_curves(problem, curves, num_free, [quantile or 1.0 for quantile in quantiles])
    return [
        read_result(
            problem,
            trajectory,
            curves[index],
            raw[index],
            num_free=num_free,
            quantile=quantiles[index],
            level=level,
            remarks=prepared[index][1],
        )
        for index, trajectory in enumerate(trajectories)
    ]


def _num_free(law: AbstractLaw, curves: Curves) -> int:
    return sum(not isinstance(bijector, Fixed) for bijector in law.bijectors(curves))


def _quantile(curves: Curves, num_free: int, level: float) -> float | None:
    """Of the signed root of the likelihood ratio; None where the noise cannot be estimated."""
    upper = (1 + level) / 2
    if curves.noise_known:
        return float(ndtri(upper))
    dof = int(curves.num_measurements) - num_free
    return float(stdtrit(dof, upper)) if dof > 0 else None
