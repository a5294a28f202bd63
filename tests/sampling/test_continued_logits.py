"""Logits after shared prefixes are those of each row read as a whole."""

import jax
import numpy as np

from jaxgap.sampling import continued_logits, split_prefixes

PAD = 0  # also a token of the rows


def test_logits_are_the_full_forwards(tiny_model, tiny_params):
    rng = np.random.default_rng(0)
    prefixes = [rng.integers(0, 12, size).tolist() for size in (11, 4, 0)]
    groups = [0, 1, 0, 2, 0, 1]
    rows = [
        prefixes[group] + rng.integers(0, 12, 1 + 2 * i).tolist() for i, group in enumerate(groups)
    ]
    apply = jax.jit(tiny_model.apply)
    with jax.default_matmul_precision("highest"):
        split = split_prefixes(rows, groups, PAD)
        logits = continued_logits(tiny_model, tiny_params, *split)
        for row, found in zip(rows, logits, strict=True):
            tokens = np.array([row])
            expected, _ = apply(tiny_params, tokens, np.ones_like(tokens, bool))
            np.testing.assert_allclose(found, expected[0, -1], atol=1e-4)
