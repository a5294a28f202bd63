"""The laws' own parameters: that `from_parameters` undoes `parameter_values`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.fitting import LinearLaw, PowerLaw
from jaxgap.fitting.curves import curves_of
from jaxgap.trajectory import Trajectory

TS = np.linspace(1.0, 9.0, 14)
CURVES = curves_of(Trajectory(TS, 1 + np.exp(-0.4 * TS), 0.5 + 0.4 * np.exp(-0.4 * TS)), 16)


@pytest.mark.parametrize("law", [LinearLaw(), PowerLaw()], ids=lambda law: law.name)
def test_from_parameters_is_the_inverse_of_parameter_values(law):
    with jax.enable_x64(True):
        start = law.starts(CURVES)[3]
        values = [b.constrain(z) for b, z in zip(law.bijectors(CURVES), start, strict=True)]
        dynamics = law.dynamics(values, CURVES)
        again = law.from_parameters(law.parameter_values(dynamics), CURVES)
        np.testing.assert_allclose(again.closed_form(TS), dynamics.closed_form(TS), rtol=1e-12)
        np.testing.assert_allclose(jnp.stack(again.limits()), jnp.stack(dynamics.limits()))
        assert again.t0 == TS[0]
