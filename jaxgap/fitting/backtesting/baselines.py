r"""The obvious forecasts, each made as good as it can be.

- `last`: the last measured value.
- `exp3`: $L + b\,e^{-k u}$, the paper's law for the solver alone.
- `pow3`: $L + b\,(1 + (t - t_0)/h)^{-p}$ with $h$ the smallest spacing of the rows.
- `sigmoid`: $R_0 + (A - R_0) / (1 + (m / u)^B)$ from the first value $R_0$: ScaleRL
  (arXiv:2510.13786).

Here $u = (t - t_0) / W$ is time in units of the measured window. Each is a least-squares
fit of three parameters to error rates or uncertainties, with a limit that such a quantity can have,
from a grid of starts over limits and shapes; the best minimum wins. They are point forecasts.
Three rows do not determine a sigmoid that passes through the first: then it is one of many.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgap.fitting.curves import padded_length
from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt
from jaxgap.fitting.precision import double_precision
from jaxgap.trajectory import Trajectory

BASELINES = ("last", "exp3", "pow3", "sigmoid")

# One curve in three coordinates: that of the limit, and two of its own. Coordinates of positive
# numbers are their logarithms.
_CurveFn = Callable[[Array, Array, "_Scales"], Array]


class _Scales(NamedTuple):
    """The data's scales that a curve uses: the first value and the largest possible limit."""

    first: Float[Array, ""]
    ceiling: Float[Array, ""]


def baseline_forecasts(run: Trajectory, ts: Float[np.ndarray, " times"]) -> dict[str, float]:
    """The mean of the solver over `ts` by each baseline, in the run's own terms.

    **Arguments:**

    - `run`: the measurements.
    - `ts`: times after the last measured one.

    **Returns:** the forecast of each baseline by its name.
    """
    accuracy = run.kind == "accuracy"
    values = 1.0 - run.solver if accuracy else np.array(run.solver)
    # Uncertainties have no natural ceiling: ten times the largest measured one is enough.
    ceiling = 1.0 if accuracy else 10 * float(np.abs(values).max())
    numbers: dict[str, Any] = {"first": np.float64(values[0]), "ceiling": np.float64(ceiling)}
    scales = _Scales(**numbers)
    window = run.ts[-1] - run.ts[0]
    seen, ahead = ((times - run.ts[0]) / window for times in (run.ts, ts))
    step = float(np.diff(run.ts).min() / window)
    middling = np.log([0.05, 0.2, 0.5, 1.0, 3.0])
    found = {
        "last": float(values[-1]),
        "exp3": _extend(_exp3, values, seen, ahead, scales, np.log([0.3, 1, 3, 10, 40]), None),
        "pow3": _extend(
            _pow3, values, seen / step, ahead / step, scales, np.log([0.1, 0.3, 1, 3]), None
        ),
        "sigmoid": _extend(_sigmoid, values, seen, ahead, scales, middling, np.log([0.5, 1, 3])),
    }
    return {name: 1.0 - value if accuracy else value for name, value in found.items()}


def _exp3(z: Float[Array, " 3"], x: Float[Array, " times"], scales: _Scales):
    return _limit(z[0], scales) + z[2] * jnp.exp(-_bounded_exp(z[1]) * x)


def _pow3(z: Float[Array, " 3"], x: Float[Array, " times"], scales: _Scales):
    return _limit(z[0], scales) + z[2] * (1 + x) ** -_bounded_exp(z[1])


def _sigmoid(z: Float[Array, " 3"], x: Float[Array, " times"], scales: _Scales):
    started = x > 0
    odds = _bounded_exp(z[2]) * (jnp.log(jnp.where(started, x, 1.0)) - z[1])
    done = jnp.where(started, jax.nn.sigmoid(odds), 0.0)
    return scales.first + (_limit(z[0], scales) - scales.first) * done


def _limit(z: Float[Array, ""], scales: _Scales) -> Float[Array, ""]:
    return scales.ceiling * jax.nn.sigmoid(z)


def _bounded_exp(z: Float[Array, ""]) -> Float[Array, ""]:
    """A rate or exponent between a thousandth and a thousand: beyond that curves look the same."""
    edge = float(np.log(1e3))
    return jnp.exp(edge * jnp.tanh(z / edge))


def _extend(
    curve: _CurveFn,
    values: Float[np.ndarray, " rows"],
    seen: Float[np.ndarray, " rows"],
    ahead: Float[np.ndarray, " times"],
    scales: _Scales,
    second: Float[np.ndarray, " starts"],
    third: Float[np.ndarray, " starts"] | None,
) -> float:
    """Fit a curve from every start, and average the best one over the future times.

    `second` and `third` are starts of those coordinates; if the third is an amplitude (`None`), it
    starts at the difference between the first value and the limit.
    """
    rows = (0, padded_length(len(values)) - len(values))
    limits = [values[-1], values.min(), values.max(), values[-1] / 2]
    fractions = np.clip(np.array(limits) / scales.ceiling, 1e-3, 1 - 1e-3)
    starts = [
        (np.log(f / (1 - f)), b, values[0] - f * scales.ceiling if c is None else c)
        for f, b, c in itertools.product(fractions, second, [None] if third is None else third)
    ]
    with double_precision():
        x, y = np.pad(seen, rows), np.pad(values, rows)
        mask = np.arange(len(x)) < len(values)
        z = _best(curve, np.array(starts), x, y, mask, scales)
        future = np.pad(ahead, (0, padded_length(len(ahead)) - len(ahead)), mode="edge")
        extended = np.asarray(_evaluate(curve, z, future, scales))
    return float(extended[: len(ahead)].mean())


def _best(curve: _CurveFn, starts, x, y, mask, scales: _Scales) -> Float[Array, " 3"]:
    """The best minimum over all starts."""
    num = len(starts)
    args = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (num, *np.shape(leaf))), (x, y, scales))
    solutions = levenberg_marquardt(
        _RESIDUALS[curve], jnp.asarray(starts), args, mask=jnp.tile(mask, (num, 1))
    )
    costs = jnp.where(jnp.isfinite(solutions.cost), solutions.cost, jnp.inf)
    return solutions.y[jnp.argmin(costs)]


def _residual_fn(curve: _CurveFn):
    def residuals(z, args):
        x, y, scales = args
        return (curve(z, x, scales) - y) / scales.ceiling

    return residuals


# Created once, so that the solver is compiled once for each.
_RESIDUALS: dict[_CurveFn, Callable[[Array, Any], Array]] = {
    curve: _residual_fn(curve) for curve in (_exp3, _pow3, _sigmoid)
}
_evaluate = jax.jit(lambda curve, z, x, scales: curve(z, x, scales), static_argnums=0)
