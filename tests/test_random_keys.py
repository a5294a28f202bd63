"""Keys to map over: each has its own stream, whatever is mapped beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.random_keys import threefry_key


def test_a_threefry_key_stays_as_it_is():
    key = jax.random.key(3)
    assert threefry_key(key) is key
    raw = jax.random.PRNGKey(3)
    assert threefry_key(raw) is raw


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_a_mapped_draw_is_that_of_each_key_alone(impl):
    keys = jax.random.split(threefry_key(jax.random.key(0, impl=impl)), 5)
    alone = jnp.stack([jax.random.normal(key, (3,)) for key in keys])
    np.testing.assert_array_equal(jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys), alone)


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_other_keys_give_other_keys(impl):
    keys = jax.random.split(jax.random.key(0, impl=impl), 20)
    found = {tuple(jax.random.key_data(threefry_key(key)).tolist()) for key in keys}
    assert len(found) == 20
