r"""Does one set of parameters hold from the first row to the last?

The law, linearised at its fit, has residuals $(I - H)\varepsilon$ with $H = J J^+$. For every row
at which the run could have changed, $J$ gets a second copy of its columns that is zero before that
row: two segments, each with its own parameters. The statistic is the largest F over break points
(Andrews, Econometrica 61, 1993). As a maximum over many, its distribution is not tabulated; it is
simulated with the same $J$, which accounts for the design, the number of rows and the law, and
needs no refit.

If residuals are autocorrelated, every smooth misfit looks like a change. So the simulated noise is
autocorrelated too, as strongly as the residuals of the best pair of segments, but never negatively:
the test then requires a change beyond that.
"""

import numpy as np
from jaxtyping import Float

from jaxgap.fitting.diagnosis.autocorrelation import noise_memory
from jaxgap.fitting.diagnosis.blocks import in_blocks
from jaxgap.fitting.diagnosis.finding import Finding
from jaxgap.fitting.noise.abstract_noise import NOISE_FLOOR

_NUM_SIMULATIONS = 1000
_MAX_BREAKS = 32
# Residuals or derivatives this large would overflow when squared: the fit has failed.
_OVERFLOW = 1e100
# The fewest rows of a segment: what a line and its noise need.
_MIN_SEGMENT = 3


def one_regime(
    residuals: Float[np.ndarray, "T series"],
    jacobian: Float[np.ndarray, "T series n"],
    ts: Float[np.ndarray, " T"],
    unit: str,
    *,
    noise_known: bool,
) -> Finding | None:
    """Test that no row divides the run into two segments with different parameters.

    **Arguments:**

    - `residuals`: the weighted residuals of a fit, a column for each series.
    - `jacobian`: their derivatives by the law's free coordinates.
    - `ts`, `unit`: the times and their unit, for the sentence.
    - `noise_known`: whether the weights are by known errors. If not, noise that varies along the
        run looks like a change, which the sentence says.

    **Returns:**

    The :class:`Finding`; `None` if there are too few measurements for two segments, no parameter
    that could change or no residuals to judge by, or if the fit failed.
    """
    residuals, jacobian, ts = (in_blocks(rows) for rows in (residuals, jacobian, ts))
    num_rows, num_series = residuals.shape
    span = num_rows - 2 * _MIN_SEGMENT
    if span < 1 or not jacobian.shape[-1]:
        return None
    if not (np.abs(residuals).max() < _OVERFLOW and np.abs(jacobian).max() < _OVERFLOW):
        return None
    count = min(_MAX_BREAKS, span + 1)
    breaks = np.linspace(_MIN_SEGMENT, num_rows - _MIN_SEGMENT, count).round().astype(int)
    whole = _basis(jacobian.reshape(residuals.size, -1))
    bases = [_basis(_split(jacobian, at)) for at in breaks]
    spare = min(residuals.size - basis.shape[1] for basis in bases)
    flat = residuals.reshape(1, -1)
    if spare < 3 or not np.abs(flat).max() > NOISE_FLOOR:
        return None
    statistics = _f_statistics(flat, whole, bases)
    best = int(np.argmax(statistics[0]))
    rho = noise_memory(_off(flat, bases[best]).reshape(num_rows, num_series))
    noise = _autoregressive(num_rows, num_series, rho).reshape(_NUM_SIMULATIONS, -1)
    chance = _f_statistics(noise, whole, bases).max(axis=1)
    statistic = float(statistics[0, best])
    unless = "" if noise_known else ", unless its noise varies along the run"
    return Finding(
        statistic=statistic,
        p_value=(1 + int((chance >= statistic).sum())) / (1 + _NUM_SIMULATIONS),
        method="largest F over break points",
        says=(
            f"the run changes about {unit} {ts[breaks[best]]:g}: no single set of parameters "
            f"describes all of it{unless}"
        ),
    )


def _split(jacobian: Float[np.ndarray, "T series n"], at: int) -> Float[np.ndarray, "m k"]:
    """Both segments' columns, for a change before row `at`."""
    later = jacobian.copy()
    later[:at] = 0.0
    return np.concatenate([jacobian, later], axis=-1).reshape(-1, 2 * jacobian.shape[-1])


def _basis(columns: Float[np.ndarray, "m k"]) -> Float[np.ndarray, "m rank"]:
    """An orthonormal basis of the column space."""
    norms = np.linalg.norm(columns, axis=0)
    used = columns[:, norms > 0] / norms[norms > 0]
    left, values, _ = np.linalg.svd(used, full_matrices=False)
    return left[:, values > 1e-8 * values.max(initial=0.0)]


def _off(noise: Float[np.ndarray, "n m"], basis: Float[np.ndarray, "m k"]) -> np.ndarray:
    """The residuals of each row of `noise` after projection onto the basis."""
    return noise - (noise @ basis) @ basis.T


def _f_statistics(noise: Float[np.ndarray, "n m"], whole, bases) -> Float[np.ndarray, "n breaks"]:
    """The F statistic of each break and row of `noise`; zero where a break adds no freedom."""
    one = (_off(noise, whole) ** 2).sum(axis=1)
    found = []
    for basis in bases:
        two = (_off(noise, basis) ** 2).sum(axis=1)
        gained, spare = basis.shape[1] - whole.shape[1], basis.shape[0] - basis.shape[1]
        found.append((one - two) / two * spare / gained if gained > 0 else np.zeros_like(one))
    return np.stack(found, axis=1)


def _autoregressive(num_rows: int, num_series: int, rho: float) -> np.ndarray:
    """Simulated noise of unit variance, with a fixed seed."""
    shocks = np.random.default_rng(0).standard_normal((_NUM_SIMULATIONS, num_rows, num_series))
    noise = shocks.copy()
    for row in range(1, num_rows):
        noise[:, row] = rho * noise[:, row - 1] + np.sqrt(1 - rho**2) * shocks[:, row]
    return noise
