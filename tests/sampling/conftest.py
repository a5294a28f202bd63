"""Which tokens the filters keep, for the tests of the filters and of draws."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def kept_by_sorting():
    """The tokens kept of one row, in float64, as the definitions of the filters say."""

    def of(logits, sampling_params):
        weights = np.exp((logits.astype(np.float64) - logits.max()) / sampling_params.temperature)
        order = np.argsort(-weights, kind="stable")
        kept = np.ones(len(logits), bool)
        if sampling_params.top_k is not None:
            kept &= weights >= weights[order][min(sampling_params.top_k, len(order)) - 1]
        if sampling_params.top_p < 1:
            within = np.where(kept, weights, 0)[order]
            reached = np.cumsum(within) / within.sum() >= sampling_params.top_p * (1 - 1e-12)
            kept &= weights >= weights[order][np.argmax(reached)]
        return kept & (weights >= sampling_params.min_p)

    return of
