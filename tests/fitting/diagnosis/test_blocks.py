"""Block means against a loop over blocks."""

import numpy as np
import pytest

from jaxgap.fitting.diagnosis.blocks import in_blocks


@pytest.mark.parametrize("num_rows", [1, 7, 128, 129, 256, 257, 1000])
def test_equal_blocks_of_consecutive_rows(num_rows):
    rows = np.random.default_rng(0).standard_normal((num_rows, 2))
    found = in_blocks(rows)
    size = 1
    while num_rows / size > 128:
        size += 1
    blocks = [rows[start : start + size] for start in range(0, num_rows - size + 1, size)]
    np.testing.assert_allclose(found, [sum(block) / size for block in blocks], rtol=1e-12)
    assert len(found) <= 128
