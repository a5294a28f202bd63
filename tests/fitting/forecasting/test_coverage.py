"""How often a forecast's interval holds the measurement to come, on simulated curves."""

import jax
import numpy as np
import pytest

from jaxgap.fitting.forecasting import forecast
from jaxgap.trajectory import Trajectory

NUM_ITEMS = 500


def draw(rng):
    """A run of 14 measured accuracies, and one that was kept back at half as far ahead again."""
    ts = np.append(np.arange(14.0), 19.5)
    rate = rng.uniform(0.1, 0.5)
    closed = [
        -np.expm1(-rate * ts),
        1 - (1 + rate * ts) ** -rng.uniform(0.5, 2.0),
        1 / (1 + np.exp(2 - 2 * rate * ts)),
    ][rng.integers(3)]
    first = rng.uniform(0.1, 0.5)
    accuracies = first + rng.uniform(0.1, 0.4) * closed
    measured = rng.binomial(NUM_ITEMS, accuracies) / NUM_ITEMS
    run = Trajectory(ts[:-1], measured[:-1], kind="accuracy", num_items=NUM_ITEMS)
    return run, float(ts[-1]), measured[-1]


@pytest.mark.slow
def test_intervals_hold_the_measurement_to_come():
    """Fewer than 61 of 80 would be one chance in ten thousand; nor do they hold everything."""
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for index in range(80):
        run, horizon, truth = draw(rng)
        low, high = forecast(run, horizon, key=jax.random.key(index)).solver.interval
        held += low <= truth <= high
        widths.append(high - low)
    assert held >= 61
    assert np.median(widths) < 0.25
