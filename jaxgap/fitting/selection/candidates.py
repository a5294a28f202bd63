"""Candidate laws: each fitted to each trajectory, the whole of it and growing prefixes."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxgap.fitting.curves import Curves, padded_length
from jaxgap.fitting.fit import closed_form
from jaxgap.fitting.laws.law import AbstractLaw
from jaxgap.fitting.least_squares.levenberg_marquardt import LevenbergMarquardt
from jaxgap.fitting.noise import weighted_curves
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.results.criteria import Criteria, criteria_of_fit
from jaxgap.fitting.selection.rolling import Scores, held_out_scores, origins
from jaxgap.fitting.selection.search import Fits, best_fits
from jaxgap.trajectory import Trajectory


class Candidate(NamedTuple):
    """One law fitted to one trajectory.

    - `problem`, `curves`: the law with its fit settings, and the data.
    - `fit`: the best fit, a batch of one.
    - `criteria`: AICc and BIC.
    - `scores`: the held-out log scores, by origin.
    """

    problem: FitProblem
    curves: Curves
    fit: Fits
    criteria: Criteria
    scores: Scores

    @property
    def dof(self) -> float:
        """Degrees of freedom of the noise: below one where it cannot be estimated."""
        return 0.0 if self.curves.tell_no_noise else self.problem.dof(self.curves)

    def curves_at(self, ts: Float[np.ndarray, " times"]) -> Float[np.ndarray, "times 2"]:
        """The fitted curves of both capabilities, in the equations' terms."""
        with double_precision():
            dynamics = self.problem.dynamics(self.fit.coordinates[0], self.curves)
            return np.asarray(self.problem.curve_fn(dynamics, jnp.asarray(ts)))


def fit_candidates(
    laws: Sequence[AbstractLaw], trajectories: Sequence[Trajectory]
) -> list[list[Candidate]]:
    """Fit every law to every trajectory and to its prefixes, one call of the solver for each law.

    **Returns:**

    For each trajectory, the candidates that it has enough measurements for, in the order of `laws`;
    if there are none, the one with the fewest parameters. Without a verifier, laws that differ from
    an earlier one only in the verifier are left out.
    """
    problems = [FitProblem(law, closed_form, LevenbergMarquardt()) for law in laws]

    def batch_of(index: int) -> tuple[int, bool]:
        return padded_length(trajectories[index].num_rows), trajectories[index].verifier is not None

    found: dict[int, list[Candidate]] = {}
    order = sorted(range(len(trajectories)), key=batch_of)
    for (length, has_verifier), group in groupby(order, batch_of):
        indices = list(group)
        runs = [trajectories[index] for index in indices]
        different = problems if has_verifier else _by_solver(problems)
        found |= zip(indices, _fit_group(different, runs, length), strict=True)
    return [found[index] for index in range(len(trajectories))]


def _by_solver(problems: Sequence[FitProblem]) -> list[FitProblem]:
    """The problems, without those that give the solver the same curves as an earlier one."""
    first: dict[tuple[str, ...], FitProblem] = {}
    for problem in problems:
        seen = tuple(p.name for p in problem.law.parameters if not p.needs_verifier)
        first.setdefault(seen, problem)
    return list(first.values())


def _fit_group(
    problems: Sequence[FitProblem], runs: Sequence[Trajectory], length: int
) -> list[list[Candidate]]:
    wholes = [weighted_curves(run, length).curves for run in runs]
    free = [problem.num_free(wholes[0]) for problem in problems]
    usable = [_usable(free, curves) for curves in wholes]
    rows = [
        origins(run.num_rows, 1 + curves.has_verifier, max(free[m] for m in which))
        for run, curves, which in zip(runs, wholes, usable, strict=True)
    ]
    heads = [
        [weighted_curves(run.head(num_rows), length).curves for num_rows in seen]
        for run, seen in zip(runs, rows, strict=True)
    ]
    found: list[list[Candidate]] = [[] for _ in runs]
    for m, problem in enumerate(problems):
        chosen = [i for i, which in enumerate(usable) if m in which]
        for i, candidate in zip(chosen, _of_law(problem, wholes, heads, chosen), strict=True):
            found[i].append(candidate)
    return found


def _usable(free: Sequence[int], curves: Curves) -> list[int]:
    """The laws that leave at least one degree of freedom for the noise, else the smallest law."""
    enough = [m for m, k in enumerate(free) if int(curves.num_measurements) > k]
    return enough or [int(np.argmin(free))]


def _of_law(
    problem: FitProblem,
    wholes: Sequence[Curves],
    heads: Sequence[Sequence[Curves]],
    chosen: Sequence[int],
) -> list[Candidate]:
    """One law on the chosen trajectories and all of their prefixes, in one call."""
    if not chosen:
        return []
    prefixes = [head for i in chosen for head in heads[i]]
    fits = best_fits(problem, [*(wholes[i] for i in chosen), *prefixes])
    refits = Fits(*(leaf[len(chosen) :] for leaf in fits))
    scores = Scores(np.empty(0), np.empty(0))
    if prefixes:
        targets = [wholes[i] for i in chosen for _ in heads[i]]
        scores = held_out_scores(problem, prefixes, targets, refits)
    ends = np.cumsum([len(heads[i]) for i in chosen])
    return [
        Candidate(
            problem,
            wholes[i],
            Fits(*(leaf[j : j + 1] for leaf in fits)),
            criteria_of_fit(wholes[i], float(fits.cost[j]), problem.num_free(wholes[i])),
            Scores(*(leaf[ends[j] - len(heads[i]) : ends[j]] for leaf in scores)),
        )
        for j, i in enumerate(chosen)
    ]
