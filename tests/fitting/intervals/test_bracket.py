"""Where a search for an interval's end tries next."""

import jax
import jax.numpy as jnp
import pytest

from jaxgap.fitting.intervals.bracket import Bracket, Refit, updated

QUANTILE, ROOM = 1.7, 100.0


def after(*refits):
    """The bracket after these refits, each as (moved, zeta, slope)."""
    with jax.enable_x64(True):
        search = Bracket.begin(jnp.zeros(1), jnp.asarray(1.0))
        for refit in refits:
            found = Refit(jnp.zeros(1), *map(jnp.asarray, refit))
            search = updated(search, found, QUANTILE, ROOM)
    return search


@pytest.mark.parametrize("slope", [1e-3, 1.0, 1e12])
def test_a_refit_that_clings_to_the_fit_says_nothing_of_where_the_end_is(slope):
    outside = (0.8, 6.0, 3.0)
    search = after(outside, (1e-11, 1e-9, slope))
    assert float(search.low) == pytest.approx(1e-11)
    assert 0.3 < float(search.trial) < 0.5


def test_one_on_a_profile_that_rises_leads_to_its_end():
    search = after((0.8, 2.4, 3.0), (0.5, 1.5, 3.0))
    assert float(search.value) == pytest.approx(0.5 + 0.2 / 3.0)
