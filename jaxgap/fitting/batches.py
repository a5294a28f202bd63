"""Batches of curves on the available devices: one compiled program for any number of curves.

All batches have the same size, so that any number of curves needs only one compilation. With
several devices, each gets its share of the batch and works through its own queue; none waits for
another before the end.
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

# The most curves that one device fits in one call of the compiled program.
_CURVES_PER_DEVICE = 64


def fit_curves(
    problem: FitProblem, curves: Sequence[Curves], num_free: int, quantiles: Sequence[float]
) -> list[RawFit]:
    """Fit curves of equal padded length; `quantiles` has one entry per curve.

    All local devices share the work, or `jax.default_device` does it alone if that is set.
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
    """Call `fit_batch` once on each device; `counts` is how many curves each has to fit."""
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
        # The devices' loops are independent: nothing is exchanged, so nothing has to agree.
        check_vma=False,
    )(arrays, batch, num_free, quantiles, counts)
