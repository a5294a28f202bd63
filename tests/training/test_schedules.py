"""Learning rates against closed forms."""

import numpy as np
import optax
import pytest

from jaxgap.training import Constant, CosineDecay, LinearDecay


def test_schedules_follow_their_formulas():
    steps = np.arange(0, 130)
    rates = {
        type(record): np.array([record.as_optax()(step) for step in steps])
        for record in (Constant(1e-3, 10), LinearDecay(1e-3, 10, 110), CosineDecay(1e-3, 10, 110))
    }
    up, done = 1e-3 * (steps + 1) / 11, np.clip((steps - 10) / 100, 0, 1)
    for kind, then in (
        (Constant, 1e-3),
        (LinearDecay, 1e-3 * (1 - done)),
        (CosineDecay, 1e-3 * (1 + np.cos(np.pi * done)) / 2),
    ):
        expected = np.where(steps < 10, up, then)
        np.testing.assert_allclose(rates[kind], expected, rtol=1e-5, atol=1e-10)
    theirs = optax.warmup_cosine_decay_schedule(1e-3 / 11, 1e-3, 10, 110)
    expected = [theirs(step) for step in steps]
    np.testing.assert_allclose(rates[CosineDecay], expected, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("record", [Constant(1.0), LinearDecay(1.0, 0, 4), CosineDecay(1.0, 0, 4)])
def test_without_a_warm_up_the_first_step_is_at_the_peak(record):
    assert record.as_optax()(0) == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(0.0), "learning_rate must be positive"),
        (lambda: LinearDecay(1.0, 5, 5), "num_steps must be more than warm_up_steps=5"),
        (lambda: Constant(1.0, -1), "warm_up_steps must be 0 or more, got -1"),
        (lambda: CosineDecay(0.0, 5, 9), "peak must be positive, got 0.0"),
    ],
)
def test_what_is_out_of_range_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
