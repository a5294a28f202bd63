"""Akaike weights against SciPy's softmax."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from jaxgap.errors import InputError
from jaxgap.fitting.selection.weights import law_weights

log_likelihoods = st.floats(-1e4, 1e4) | st.just(np.nan) | st.just(-np.inf)


def candidates(laws):
    names = ("log_likelihood", "num_parameters")
    return [
        SimpleNamespace(criteria=SimpleNamespace(**dict(zip(names, law, strict=True))))
        for law in laws
    ]


@given(st.lists(st.tuples(log_likelihoods, st.integers(2, 8)), min_size=1, max_size=7))
def test_weights_are_a_softmax_of_penalised_likelihoods(laws):
    penalised = np.array([-np.inf if np.isnan(value) else value - k for value, k in laws])
    if np.isinf(penalised).all():
        with pytest.raises(InputError, match="no law has finite curves"):
            law_weights(candidates(laws))
        return
    np.testing.assert_allclose(law_weights(candidates(laws)), softmax(penalised), atol=1e-12)
