"""What every shape promises: it starts at zero, rises, and (all but one) comes to one."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgap.fitting.forecasting.shapes import SHAPES, DecayToZero, PowerApproach

NORMALS = st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4)
SHAPES_BY_NAME = {shape.name: shape for shape in SHAPES}


@pytest.mark.parametrize("name", SHAPES_BY_NAME)
@settings(deadline=None)
@given(normals=NORMALS)
def test_terms_rise_from_zero_and_stay_below_one(name, normals):
    u = jnp.concatenate([jnp.zeros(1), jnp.geomspace(1e-3, 1e6, 30)])
    terms = np.asarray(SHAPES_BY_NAME[name].terms(u, jnp.array(normals)))
    assert terms.shape == (31, 2)
    np.testing.assert_array_equal(terms[0], 0.0)
    assert (np.diff(terms, axis=0) >= -1e-5).all()
    if name != DecayToZero.name:  # its logarithm has no limit
        assert (terms <= 1.0 + 1e-5).all()


@settings(deadline=None)
@given(normals=NORMALS)
def test_power_approach_has_the_closed_form_of_its_docstring(normals):
    shape = PowerApproach()
    u = np.linspace(0.0, 5.0, 11)
    rate = 5.0 * np.exp(1.5 * normals[0])
    power = 0.7 * np.exp(0.8 * normals[1])
    terms = shape.terms(jnp.asarray(u), jnp.array(normals))
    np.testing.assert_allclose(terms[:, 0], 1 - (1 + rate * u / power) ** -power, atol=1e-4)


@settings(deadline=None)
@given(normals=NORMALS)
def test_what_decays_to_zero_loses_the_same_part_in_equal_times(normals):
    u = np.linspace(0.0, 5.0, 11)
    (mean, stderr), _ = DecayToZero.amplitudes
    logs = mean * np.asarray(DecayToZero().terms(jnp.asarray(u), jnp.array(normals)))[:, 0]
    assert stderr == 0
    np.testing.assert_allclose(np.diff(logs), np.diff(logs)[0], rtol=1e-5)
    assert logs[2] == pytest.approx(-2.5 * np.exp(0.6 * normals[0]), rel=1e-5)
