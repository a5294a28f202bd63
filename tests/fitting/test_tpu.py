"""Fits compiled for a TPU that is not there, of closed forms and by integration."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import LevenbergMarquardt, LinearLaw, OdeCurves, closed_form
from jaxgap.fitting.curves import padded_length, stack
from jaxgap.fitting.fit_batch import fit_batch
from jaxgap.fitting.intervals.profile_intervals import Wanted, profile_intervals
from jaxgap.fitting.intervals.search_start import minimised
from jaxgap.fitting.noise import weighted_curves
from jaxgap.fitting.problem import FitProblem
from jaxgap.planning.chips import describe
from jaxgap.trajectory import Trajectory

TS = np.arange(12.0)
RUN = Trajectory(TS, 1 + 2 * np.exp(-0.4 * TS), 0.5 + np.exp(-0.4 * TS))


def compiled(function, *arguments):
    """The program of a function on the first of four chips."""
    place = jax.sharding.SingleDeviceSharding(describe("v5e:2x2")[0])
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(np.shape(x), jnp.result_type(x), sharding=place), arguments
    )
    return jax.jit(function).trace(*shapes).lower(lowering_platforms=("tpu",)).compile()


def problem_and_curves(curve_fn):
    curves, noise, _ = weighted_curves(RUN, padded_length(RUN.num_rows), None)
    return FitProblem(LinearLaw(), curve_fn, LevenbergMarquardt(), noise), curves


@pytest.mark.slow
@pytest.mark.parametrize("curve_fn", [closed_form, OdeCurves()], ids=["closed form", "integration"])
def test_a_batch_of_fits(curve_fn):
    pytest.importorskip("libtpu")
    problem, curves = problem_and_curves(curve_fn)
    arrays, structure = eqx.partition(problem, eqx.is_array)

    def fit_all(arrays, batch, free, count):
        return fit_batch(eqx.combine(arrays, structure), batch, free, count)

    def ends_of(arrays, fits, wanted, count):
        return profile_intervals(eqx.combine(arrays, structure), fits, wanted, count)

    with jax.enable_x64(True):
        batch, count = stack([curves] * 2), jnp.asarray(2)
        free = jnp.full(2, problem.num_free(curves))
        fitted = compiled(fit_all, arrays, batch, free, count)
        fits = minimised(batch, fitted.out_info)
        numbers = jnp.tile(jnp.array(problem.visible(True)), (2, 1))
        wanted = Wanted(numbers, jnp.ones(2), jnp.full(2, 1.8))
        searched = compiled(ends_of, arrays, fits, wanted, count)
    assert fitted.out_info.cost.dtype == searched.out_info.intervals.dtype == jnp.float64
    # Each 64-bit number is computed with as two of 32 bits.
    assert all("X64SplitLow" in program.as_text() for program in (fitted, searched))
