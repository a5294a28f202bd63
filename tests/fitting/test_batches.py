"""Batches: over several devices, and with curves in them that cannot be fitted."""

import json
import subprocess
import sys

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, batches, closed_form, fit, fit_many
from jaxgap.trajectory import Trajectory

ON_DEVICES = """
import json
import jax
import numpy as np
from jaxgap.fitting import LinearLaw, fit_many
from jaxgap.trajectory import Trajectory

assert jax.local_device_count() == {num_devices}
rng = np.random.default_rng(3)
ts = np.arange(10.0)
runs = [Trajectory(ts, 1 + np.exp(-0.4 * ts) + 0.05 * rng.standard_normal(10)) for _ in range(70)]
results = fit_many(LinearLaw(), runs)
print(json.dumps([[*result.parameters["rate"].interval, *result.limits["solver"].interval]
                  for result in results]))
"""


def intervals_on(num_devices, with_devices):
    done = subprocess.run(
        [sys.executable, "-c", ON_DEVICES.format(num_devices=num_devices)],
        env=with_devices(num_devices) | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return np.array(json.loads(done.stdout), dtype=float)


@pytest.mark.slow
def test_several_devices_find_what_one_finds(with_devices):
    one, four = intervals_on(1, with_devices), intervals_on(4, with_devices)
    assert one.shape == (70, 4)
    np.testing.assert_allclose(four, one, rtol=1e-6)


class Diverging(eqx.Module):
    """Curves that are not numbers where the solver starts below zero, as of a failed solve."""

    def __call__(self, dynamics, ts):
        return jnp.where(dynamics.solver_initial < 0, jnp.nan, closed_form(dynamics, ts))


@pytest.mark.parametrize("num_bad", [1, 3])
def test_a_curve_that_cannot_be_fitted_leaves_the_others_alone(num_bad):
    rng = np.random.default_rng(0)
    ts = np.arange(10.0)
    noise = 0.02 * rng.standard_normal((6, 10))
    good = [Trajectory(ts, 1 + np.exp(-0.4 * ts) + each) for each in noise]
    bad = [Trajectory(ts, -5 - np.exp(-0.4 * ts) + each) for each in noise[:num_bad]]
    results = fit_many(LinearLaw(), [*bad, *good], curve_fn=Diverging())
    for result in results[:num_bad]:
        assert not result.converged
        assert "no start gave finite curves" in result.stopped
    alone = fit_many(LinearLaw(), good, curve_fn=Diverging())
    for one, other in zip(alone, results[num_bad:], strict=True):
        assert one.converged
        np.testing.assert_allclose(
            one.limits["solver"].interval, other.limits["solver"].interval, rtol=1e-6
        )


def test_long_curves_are_fitted_in_smaller_batches_to_the_same_numbers(monkeypatch):
    """A batch is in memory at once, and one of 64 would be nearly all padding."""
    ts = np.linspace(0, 10, 1500)
    rng = np.random.default_rng(0)
    runs = [Trajectory(ts, 1 + np.exp(-0.4 * ts) + 0.05 * rng.standard_normal(1500))] * 3
    sizes, core = [], batches._on_all_devices

    def watched(function, problem, rows, counts):
        sizes.append(len(rows[0].ts) if function is batches.fit_batch else None)
        return core(function, problem, rows, counts)

    monkeypatch.setattr(batches, "_on_all_devices", watched)
    (whole,) = {result.parameters["rate"] for result in fit_many(LinearLaw(), runs)}
    monkeypatch.setattr(batches, "_MOST_ROWS", 1)
    single = fit(LinearLaw(), runs[0]).parameters["rate"]
    assert set(sizes) == {32, 1, None}
    np.testing.assert_allclose(single.interval, whole.interval, rtol=1e-6)
