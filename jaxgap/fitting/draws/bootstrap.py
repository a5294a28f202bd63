r"""The parametric bootstrap: how the estimates scatter if the fitted run is measured again.

Many runs are drawn from the fitted curves and the noise model, and each is fitted like the original
one; the spread of the refits is that of the estimates. It does not rely on curvature, but its
percentiles take the fitted noise scale as true: they are narrower than Student's t intervals, by a
tenth with eight rows, and cover less. The profile keeps its level better
(`experiments/interval_study.py`).

All refits share the queue of :mod:`jaxgap.fitting.least_squares.lanes`, in batches of one compiled
program.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.draws.samples import by_name, percentiles
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit
from jaxgap.fitting.starts import best_of_starts
from jaxgap.random_keys import threefry_key
from jaxgap.trajectory import Kind

# The most refits in one call of the compiled program.
_BATCH = 512
# With fewer refits than this the ends of an interval are meaningless.
_FEWEST = 20


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """The estimates from many runs drawn from a fit.

    - `samples`: by the name of a parameter, or `"limit solver"` and the like for a limit, the
        estimates of the refits, in the trajectory's own terms. Failed refits are left out.
    - `num_samples`, `num_failed`: how many runs were drawn, and how many refits failed.
    """

    samples: dict[str, Float[np.ndarray, " refits"]]
    num_samples: int
    num_failed: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know."""
        if not self.num_failed:
            return ()
        return (
            f"{self.num_failed} of {self.num_samples} refits did not converge: they are left out",
        )

    def intervals(self, level: float = 0.9) -> dict[str, tuple[float, float]]:
        """Percentile intervals by name.

        **Raises:**

        `InputError` (a `ValueError`) if the level is not in (0, 1), or too few refits are left.
        """
        if self.num_samples - self.num_failed < _FEWEST:
            raise InputError(
                f"{self.num_samples - self.num_failed} refits are too few for an interval: draw "
                f"at least {_FEWEST}"
            )
        return percentiles(self.samples, level)


def bootstrap(
    problem: FitProblem,
    curves: Curves,
    raw: RawFit,
    kind: Kind,
    num_samples: int,
    key: Key[Array, ""],
) -> Bootstrap:
    """Draw runs from a fit and refit them: see :meth:`jaxgap.fitting.FitResult.bootstrap`."""
    if num_samples < 1:
        raise InputError(f"num_samples must be at least 1, got {num_samples}")
    with double_precision():
        keys = jax.random.split(threefry_key(key), num_samples)
        found = []
        for first in range(0, num_samples, _BATCH):
            some = keys[first : first + _BATCH]
            padded = jnp.concatenate([some, jnp.repeat(some[-1:], _BATCH - len(some), axis=0)])
            values = _refits(problem, curves, raw, padded, jnp.asarray(len(some)))
            found.append([np.asarray(each)[: len(some)] for each in values])
    numbers, converged = (np.concatenate(each) for each in zip(*found, strict=True))
    good = converged & np.isfinite(numbers).all(axis=1)
    samples = by_name(problem, curves.has_verifier, kind, numbers[good])
    return Bootstrap(samples, num_samples, int((~good).sum()))


@eqx.filter_jit
def _refits(
    problem: FitProblem,
    curves: Curves,
    raw: RawFit,
    keys: Key[Array, " batch"],
    num_refits: Int[Array, ""],
) -> tuple[Float[Array, "batch k"], Float[Array, " batch"]]:
    """The numbers of the refits, and whether each converged."""
    scales = problem.scales(jnp.asarray(raw.coordinates), curves)

    def drawn(key) -> Curves:
        ys = problem.noise.draw(key, raw.fitted, curves, scales, raw.variance)
        return eqx.tree_at(lambda c: c.ys, curves, jnp.where(curves.weights > 0, ys, curves.ys))

    batch = jax.vmap(drawn)(keys)
    starts = jax.vmap(problem.starts)(batch)
    here = jnp.broadcast_to(raw.coordinates, (len(keys), 1, starts.shape[-1]))
    starts = jnp.concatenate([starts, here], axis=1)
    best = best_of_starts(problem, batch, starts, num_refits)
    indices = np.array(problem.visible(curves.has_verifier))
    numbers = jax.vmap(problem.numbers)(best.coordinates, batch)[:, indices]
    return numbers, best.converged
