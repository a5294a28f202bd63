"""Batches of curves on the devices at hand: one compiled program for any number of curves.

A batch always has the same size, so that any number of curves needs one compilation. Where there
are several devices each takes its share of the batch and works through a queue of its own; none of
them waits for another before the end.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Array, Float, Int

from jaxgap.fitting.curves import Curves, stack
from jaxgap.fitting.fit_batch import fit_batch
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit

# The most curves that one device takes in one call of the compiled program.
_CURVES_PER_DEVICE = 64


def fit_curves(
    problem: FitProblem, curves: Sequence[Curves], num_free: int, quantiles: Sequence[float]
) -> list[RawFit]:
    """Fit curves of one padded length; `quantiles` has one for each of them.

    All devices of this process take their share, or `jax.default_device` alone where it is set.
    """
    default_device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    num_devices = jax.local_device_count() if default_device is None else 1
    size = _CURVES_PER_DEVICE * num_devices
    first_of_device = _CURVES_PER_DEVICE * np.arange(num_devices)
    found = []
    for first in range(0, len(curves), size):
        taken, levels = list(curves[first : first + size]), list(quantiles[first : first + size])
        padding = size - len(taken)
        counts = np.clip(len(taken) - first_of_device, 0, _CURVES_PER_DEVICE)
        batch = stack(taken + taken[-1:] * padding)
        levels += levels[-1:] * padding
        with double_precision():
            raw = _on_all_devices(
                problem, batch, jnp.asarray(num_free), jnp.asarray(levels), jnp.asarray(counts)
            )
        arrays, rest = eqx.partition(raw, eqx.is_array)
        arrays = jax.tree.map(np.asarray, arrays)
        found += [
            eqx.combine(jax.tree.map(lambda leaf, row=row: leaf[row], arrays), rest)
            for row in range(len(taken))
        ]
    return found


@eqx.filter_jit
def _on_all_devices(
    problem: FitProblem,
    batch: Curves,
    num_free: Int[Array, ""],
    quantiles: Float[Array, " batch"],
    counts: Int[Array, " devices"],
) -> RawFit:
    """One call of `fit_batch` on each device; `counts` says how many curves each has to fit."""
    arrays, structure = eqx.partition(problem, eqx.is_array)

    def on_one(arrays, batch, num_free, quantiles, counts) -> RawFit:
        return fit_batch(eqx.combine(arrays, structure), batch, num_free, quantiles, counts[0])

    if len(counts) == 1:
        return on_one(arrays, batch, num_free, quantiles, counts)
    mesh = jax.make_mesh((len(counts),), ("device",), axis_types=(AxisType.Auto,))
    everywhere, split = PartitionSpec(), PartitionSpec("device")
    return jax.shard_map(
        on_one,
        mesh=mesh,
        in_specs=(everywhere, split, everywhere, split, split),
        out_specs=split,
        # The devices' loops run on their own: nothing is exchanged that would have to agree.
        check_vma=False,
    )(arrays, batch, num_free, quantiles, counts)
