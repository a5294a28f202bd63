r"""Is `dU_v / dU_s` constant, as the theory predicts whatever its potential?

Under $dU_s/dt = -\alpha f(G)$ and $dU_v/dt = -\beta f(G)$ the measured points $(U_s, U_v)$ lie on a
straight line of slope $r = \beta/\alpha$. Both coordinates have measurement errors, so the line is
fitted by total least squares, in units of the errors: each point's position *along* the line and
its distance *from* it then have uncorrelated errors, and for a straight line the distance does not
depend on the position. Known errors weight the rows: those of a run commonly shrink with its level,
and its loud first rows, which have the leverage, would be a bend half of the time. If the errors
are unknown, their ratio is estimated from the second differences of the later half of the rows,
where a run curves least: if they were assumed equal and are not, noise would be mistaken for a bend
up to half of the time.

The test regresses the distance on the square of the position. If the ratio drifted with the gap,
$r(G) = r_0 + r_1 (G - G_0)$, the points would bend by just such a term.

Distances may be autocorrelated, since a run strays and comes back. So the regression is by
generalised least squares with a first-order autoregression, whose coefficient is estimated from
the residuals of the bent line (Prais and Winsten), corrected for its bias
(:mod:`jaxgap.fitting.diagnosis.autocorrelation`) and never negative. Errors with a longer memory
than that can still be mistaken for a bend.

The drift is reported by the slopes of the points themselves, from total least squares over a first
and a second part of the way along the line: the bent line is a parabola, whose tangents at the ends
are not the slopes of any points. The way is divided where both slopes are known best, since the
last rows of many runs hardly move.

References: Fuller, *Measurement Error Models* (1987), chapter 1, for the line; Prais and Winsten,
Cowles Commission Discussion Paper 383 (1954).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import fdtrc

from jaxgap.fitting.diagnosis.autocorrelation import noise_memory
from jaxgap.fitting.diagnosis.finding import Finding

_MIN_ROWS = 7
_ROUNDS = 10
# A path along the line shorter than this many errors shows no bend.
_MIN_WAY = 6.0
# Two points would have no scatter about their line.
_MIN_PART = 3
# Enough for two second differences.
_FEWEST_LATE = 4


def constant_ratio(
    solver: Float[np.ndarray, " T"],
    verifier: Float[np.ndarray, " T"],
    errors: tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]] | None = None,
) -> Finding | None:
    """Test that verifier against solver is a straight line.

    **Arguments:**

    - `solver`, `verifier`: the measured capabilities, shape `(T,)`, in time order.
    - `errors`: the standard errors of the solver's measurements and of the verifier's, above zero,
        or numbers in proportion to them; `None` if unknown.

    **Returns:**

    The :class:`Finding`, whose statistic is F with 1 and T - 3 degrees of freedom; `None` if there
    are fewer than seven rows or no errors to judge by, or if the run hardly moves.

    **Example:**

    >>> rng = np.random.default_rng(0)
    >>> solver, noise = np.linspace(3.0, 1.0, 20), 0.01 * rng.standard_normal((2, 20))
    >>> constant_ratio(solver + noise[0], 0.4 * solver + noise[1]).significant
    False
    >>> constant_ratio(solver + noise[0], 0.1 * solver**2 + noise[1]).significant
    True
    """
    num_rows = len(solver)
    if num_rows < _MIN_ROWS:
        return None
    if errors is None:
        errors = (np.full(num_rows, _scatter(solver)), np.full(num_rows, _scatter(verifier)))
    if not all(((each > 0) & np.isfinite(each)).all() for each in errors):
        return None
    error_ratio = float(np.median(errors[1] / errors[0]))
    spread = np.stack([errors[0], errors[1] / error_ratio])
    points = _Points(np.stack([solver, verifier / error_ratio]), _typical(np.hypot(*spread)))
    axes, lengths = points.line()
    along, across = axes.T @ points.centred()
    error = lengths[1] / np.sqrt(num_rows - 2)
    if error <= 1e-12 * lengths[0] or np.ptp(along) < _MIN_WAY * error:
        return None
    off = _typical(np.hypot(*(axes[:, 1:] * spread)))
    scaled = along / np.abs(along).max()
    design = np.stack([np.ones(num_rows), scaled, scaled**2], axis=1) / off[:, None]
    across = across / off
    statistic = _autoregressive_f(design, across)
    bent = design @ np.linalg.lstsq(design, across, rcond=None)[0]
    scatter = float(np.sqrt(((across - bent) ** 2).sum() / (num_rows - 3)))
    parts = _parts(along, points.errors)
    first, second = (_slope(points.part(rows), scatter, error_ratio) for rows in parts)
    return Finding(
        statistic=statistic,
        p_value=float(fdtrc(1, num_rows - 3, statistic)),
        method="F test of a bend, verifier on solver",
        says=(
            f"the ratio dU_v/dU_s is not constant, {first} over the first part of the way and "
            f"{second} over the rest: no choice of f in the solver-verifier law allows that"
        ),
    )


class _Points(NamedTuple):
    """Points in units of the errors, and each one's own error relative to a typical one."""

    places: Float[np.ndarray, "2 n"]
    errors: Float[np.ndarray, " n"]

    def part(self, rows: np.ndarray) -> "_Points":
        return _Points(self.places[:, rows], self.errors[rows])

    def centred(self) -> Float[np.ndarray, "2 n"]:
        """The points about their weighted mean."""
        return self.places - np.average(self.places, axis=1, weights=self.errors**-2)[:, None]

    def line(self) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, " 2"]]:
        """Along the line and across it, as columns, and how far the points spread there."""
        axes, lengths, _ = np.linalg.svd(self.centred() / self.errors, full_matrices=False)
        return axes, lengths


def _typical(errors: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    return errors / np.median(errors)


def _scatter(series: Float[np.ndarray, " T"]) -> float:
    """The size of independent errors about a curve that is nearly straight in its later half."""
    half = np.diff(series[-max(_FEWEST_LATE, len(series) // 2) :], 2)
    turns = half if half.any() else np.diff(series, 2)
    return float(np.sqrt(np.mean(turns**2) / 6))


def _autoregressive_f(design: Float[np.ndarray, "T 3"], y: Float[np.ndarray, " T"]) -> float:
    """The F statistic of the last column, with first-order autoregressive errors."""
    rho = 0.0
    num_rows, size = design.shape
    for _ in range(_ROUNDS):
        beta = np.linalg.lstsq(_whitened(design, rho), _whitened(y, rho), rcond=None)[0]
        residuals = y - design @ beta
        rho = noise_memory(residuals)
    white_y, white = _whitened(y, rho), _whitened(design, rho)
    beta, *_ = np.linalg.lstsq(white, white_y, rcond=None)
    straight = np.linalg.lstsq(white[:, :-1], white_y, rcond=None)[0]
    full = float(((white_y - white @ beta) ** 2).sum())
    less = float(((white_y - white[:, :-1] @ straight) ** 2).sum())
    return max(less - full, 0.0) / full * (num_rows - size)


def _whitened(rows: np.ndarray, rho: float) -> np.ndarray:
    """Rows transformed so that first-order autoregressive errors become independent."""
    first = np.sqrt(1 - rho**2) * rows[:1]
    return np.concatenate([first, rows[1:] - rho * rows[:-1]])


def _parts(
    along: Float[np.ndarray, " T"], errors: Float[np.ndarray, " T"]
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a first and a second part of the way, divided where both slopes are known best.

    A slope's variance is inversely proportional to the squares of the positions about their mean.
    """

    def variance(rows: np.ndarray) -> float:
        weights = errors[rows] ** -2
        away = along[rows] - np.average(along[rows], weights=weights)
        squares = float((weights * away**2).sum())
        return 1 / squares if squares else np.inf

    order = np.argsort(along if along[0] <= along[-1] else -along, kind="stable")
    parts = [(order[:end], order[end:]) for end in range(_MIN_PART, len(order) - _MIN_PART + 1)]
    return min(parts, key=lambda pair: sum(map(variance, pair)))


def _slope(points: _Points, scatter: float, error_ratio: float) -> str:
    """`dU_v / dU_s` of a few points, with its standard error, in words."""
    axes, lengths = points.line()
    solver, verifier = axes[:, 0]
    # A line that may as well be vertical has no slope.
    if scatter >= abs(solver) * lengths[0]:
        return "unclear"
    slope = verifier / solver
    stderr = (1 + slope**2) * scatter / lengths[0]
    return f"{slope * error_ratio:.2f} ± {stderr * error_ratio:.2f}"
