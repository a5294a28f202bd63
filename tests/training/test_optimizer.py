"""AdamW against steps done by hand."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgap.training import AdamW, Constant


def test_one_step_of_adamw_by_hand():
    # At the first step m_hat / sqrt(v_hat) is the sign of the gradient.
    params = {
        "kernel": jnp.full((2, 2), 2.0),
        "scale": jnp.full(2, 2.0),
        "embedding": {"embedding": jnp.full((3, 2), 2.0)},
    }
    gradients = {
        "kernel": jnp.array([[3.0, -3.0], [3.0, -3.0]]),
        "scale": jnp.array([4.0, -4.0]),
        "embedding": {"embedding": jnp.full((3, 2), -1.0)},
    }
    transformation = AdamW(Constant(0.1), weight_decay=0.5, clip_norm=1.0).transformation()
    updates, _ = transformation.update(gradients, transformation.init(params), params)
    stepped = optax.apply_updates(params, updates)
    expected = [[2 - 0.1 - 0.1, 2 + 0.1 - 0.1], [2 - 0.1 - 0.1, 2 + 0.1 - 0.1]]
    np.testing.assert_allclose(stepped["kernel"], expected, rtol=1e-5)
    np.testing.assert_allclose(stepped["scale"], [1.9, 2.1], rtol=1e-5)
    np.testing.assert_allclose(stepped["embedding"]["embedding"], 2.1, rtol=1e-5)


def test_two_steps_weigh_the_moments_as_written():
    """b1 is 0.9 and b2 0.95, the usual choice for language models, unless said otherwise."""
    transformation = AdamW(Constant(0.1), clip_norm=np.inf).transformation()
    param, m, v = {"scale": jnp.array([2.0])}, 0.0, 0.0
    state, expected = transformation.init(param), 2.0
    for step, gradient in enumerate((3.0, 0.5), start=1):
        updates, state = transformation.update({"scale": jnp.array([gradient])}, state, param)
        param = optax.apply_updates(param, updates)
        m, v = 0.9 * m + 0.1 * gradient, 0.95 * v + 0.05 * gradient**2
        expected -= 0.1 * (m / (1 - 0.9**step)) / ((v / (1 - 0.95**step)) ** 0.5 + 1e-8)
    np.testing.assert_allclose(param["scale"], [expected], rtol=1e-5)


def test_a_gradient_is_clipped_by_its_global_norm():
    gradients = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    transformation = AdamW(Constant(1.0), clip_norm=1.0).transformation()
    _, state = transformation.update(gradients, transformation.init(gradients), gradients)
    moments = state[1][0].mu
    np.testing.assert_allclose(moments["a"], [0.1 * 3 / 5, 0], rtol=1e-5)
    np.testing.assert_allclose(moments["b"], [[0.1 * 4 / 5]], rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay": -1}, "weight_decay must be 0 or more, got -1"),
        ({"clip_norm": 0.0}, "clip_norm must be positive, got 0.0"),
        ({"b1": -0.1}, "b1 must be in"),
        ({"b2": 1.0}, "b2 must be in"),
        ({"eps": 0.0}, "eps must be positive, got 0.0"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AdamW(Constant(1.0), **settings)
