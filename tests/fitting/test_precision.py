"""A program's own settings for types change no fit, and a fit changes none of them."""

import jax
import numpy as np

from jaxgap.fitting import LinearLaw, fit
from jaxgap.trajectory import Trajectory

TS = np.arange(10.0)
NOISE = np.random.default_rng(0).normal(0, 0.02, (2, 10))
RUN = Trajectory(TS, 1 + 2 * np.exp(-0.4 * TS) + NOISE[0], 0.5 + np.exp(-0.4 * TS) + NOISE[1])


def test_strict_settings_change_nothing():
    expected = fit(LinearLaw(), RUN).to_dict()
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        result = fit(LinearLaw(), RUN)
        assert result.to_dict() == expected
        result.predict([20.0])
        assert jax.numpy_dtype_promotion.value == "strict"
    assert not jax.config.jax_enable_x64
