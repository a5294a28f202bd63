"""Batches of curves on the available devices: one compiled program for any number of curves.

All batches have the same size, so that any number of curves needs only one compilation. With
several devices, each gets its share of the batch and works through its own queue; none waits for
another before the end.
"""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import AxisType, PartitionSpec
from jaxtyping import Int, PyTree

from jaxgap.fitting.curves import Curves, stack
from jaxgap.fitting.fit_batch import fit_batch
from jaxgap.fitting.intervals.profile_intervals import Wanted, profile_intervals
from jaxgap.fitting.intervals.search_start import minimised
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.raw_fit import RawFit, RawNumbers

# What one device fits in one call of the compiled program: so many curves, and of long ones fewer,
# since all are in memory at once, padding included.
_MOST_CURVES, _MOST_ROWS = 64, 2**16


def fit_curves(
    problem: FitProblem, curves: Sequence[Curves], num_free: int, quantiles: Sequence[float]
) -> list[tuple[RawFit, RawNumbers]]:
    """Fit one or more curves of equal padded length; `quantiles` has one entry per curve.

    All local devices share the work, or `jax.default_device` does it alone if that is set.
    """
    size = _curves_per_device(curves[0]) * _num_devices()
    found = []
    for first in range(0, len(curves), size):
        taken = slice(first, first + size)
        found += _fit_some(problem, curves[taken], num_free, quantiles[taken])
    return found


def interval_of_time_left(
    problem: FitProblem, curves: Curves, raw: RawFit, epsilon: float, quantile: float
) -> RawNumbers:
    """The time that is left to a single run, by the program that its fit has compiled already."""
    num_numbers = len(problem.visible(curves.has_verifier))
    wanted = _wanted(np.full((1, num_numbers), len(problem.reported)), [epsilon], [quantile])
    fits = jax.tree.map(lambda leaf: np.asarray(leaf)[None], minimised(curves, raw))
    num_curves = _curves_per_device(curves)
    numbers = _in_batch(profile_intervals, problem, (fits, wanted), 2, num_curves)
    return jax.tree.map(lambda leaf: leaf[0, 0], numbers)


def _fit_some(
    problem: FitProblem, curves: Sequence[Curves], num_free: int, quantiles: Sequence[float]
) -> list[tuple[RawFit, RawNumbers]]:
    """Fit one batch of curves."""
    size, batch, num_curves = len(curves), stack(curves), _curves_per_device(curves[0])
    raw = _in_batch(fit_batch, problem, (batch, np.full(size, num_free)), 1, num_curves)
    visible = np.array(problem.visible(batch.has_verifier))
    # Any epsilon will do, as the time left is not searched for here.
    wanted = _wanted(np.tile(visible, (size, 1)), [1.0] * size, quantiles)
    fits = minimised(batch, raw)
    pieces = 2 * len(visible)
    numbers = _in_batch(profile_intervals, problem, (fits, wanted), pieces, num_curves)
    return [(_row(raw, row), _row(numbers, row)) for row in range(size)]


def _wanted(
    numbers: Int[np.ndarray, "batch k"], epsilons: Sequence[float], quantiles: Sequence[float]
) -> Wanted:
    # NumPy's until a program takes them, like the curves.
    arrays: Any = (numbers, np.asarray(epsilons, float), np.asarray(quantiles, float))
    return Wanted(*arrays)


def _row(tree: PyTree, row: int) -> Any:
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: leaf[row], arrays), rest)


def _curves_per_device(curves: Curves) -> int:
    """How many curves of this padded length one device fits in one call."""
    return max(1, min(_MOST_CURVES, _MOST_ROWS // len(curves.ts)))


def _in_batch(
    function: Callable, problem: FitProblem, rows: PyTree, per_row: int, per_device: int
) -> Any:
    """Call `function(problem, *rows, num)` on padded rows on all devices; the results as NumPy.

    `num` is how many pieces of work there are, `per_row` for each row that is not padding; each
    device has `per_device` rows.
    """
    num_devices = _num_devices()
    num_rows = len(jax.tree.leaves(rows)[0])
    padding = per_device * num_devices - num_rows
    padded = jax.tree.map(
        lambda leaf: np.concatenate([leaf, np.repeat(leaf[-1:], padding, axis=0)]), rows
    )
    first_of_device = per_device * np.arange(num_devices)
    counts = per_row * np.clip(num_rows - first_of_device, 0, per_device)
    with double_precision():
        found = _on_all_devices(function, problem, padded, counts)
    arrays, rest = eqx.partition(found, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: np.asarray(leaf)[:num_rows], arrays), rest)


def _num_devices() -> int:
    default_device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return jax.local_device_count() if default_device is None else 1


@eqx.filter_jit
def _on_all_devices(
    function: Callable, problem: FitProblem, rows: PyTree, counts: Int[np.ndarray, " devices"]
) -> Any:
    """Call `function` once on each device with its share of the rows and its count."""
    arrays, structure = eqx.partition(problem, eqx.is_array)

    def on_one(arrays, rows, counts):
        return function(eqx.combine(arrays, structure), *rows, counts[0])

    if len(counts) == 1:
        return on_one(arrays, rows, counts)
    mesh = jax.make_mesh((len(counts),), ("device",), axis_types=(AxisType.Auto,))
    everywhere, split = PartitionSpec(), PartitionSpec("device")
    return jax.shard_map(
        on_one,
        mesh=mesh,
        in_specs=(everywhere, split, split),
        out_specs=split,
        # The devices' loops are independent: nothing is exchanged, so nothing has to agree.
        check_vma=False,
    )(arrays, rows, counts)
