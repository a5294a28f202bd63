"""Blocks of a long log: their means, their errors, and how many rows they have."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jaxgap.fitting.forecasting.observations import Observations
from jaxgap.fitting.forecasting.thinning import MAX_ROWS, rows_a_block, thinned
from jaxgap.trajectory import Trajectory


@given(st.integers(3, 5000))
@example(2 * MAX_ROWS)
@example(2 * MAX_ROWS + 1)
def test_every_row_is_in_a_block_and_blocks_differ_by_a_row_at_most(num_rows):
    ts = np.arange(float(num_rows))
    blocks = thinned(Trajectory(ts, np.sin(ts)))
    assert blocks.num_rows <= MAX_ROWS
    sizes = np.full(blocks.num_rows, num_rows // blocks.num_rows)
    sizes[: num_rows % blocks.num_rows] += 1  # larger blocks come first
    size = rows_a_block(num_rows)
    assert sizes.max() == size == min(m for m in range(1, 21) if num_rows <= m * MAX_ROWS)
    ends = np.cumsum(sizes)
    rows = [range(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    np.testing.assert_allclose(blocks.ts, [sum(block) / len(block) for block in rows])
    np.testing.assert_allclose(
        blocks.solver, [sum(np.sin(block)) / len(block) for block in rows], atol=1e-12
    )


def test_blocks_have_the_means_of_their_rows_and_smaller_errors():
    values = np.arange(600.0)
    run = Trajectory(values, values, values + 1, np.full(600, 0.3), kind="uncertainty")
    blocks = thinned(run)
    assert rows_a_block(600) == 3
    assert blocks.num_rows == 200 <= MAX_ROWS
    np.testing.assert_allclose(blocks.solver, values.reshape(200, 3).mean(1))
    np.testing.assert_allclose(blocks.verifier - blocks.solver, 1.0)
    np.testing.assert_allclose(blocks.solver_se, 0.3 / 3**0.5)
    short = Trajectory([0, 1, 2], [3.0, 2.0, 1.0])
    assert thinned(short) is short


def test_a_last_block_of_one_row_has_the_error_of_one():
    ts = np.arange(257.0)
    blocks = thinned(Trajectory(ts, 1 + np.exp(-ts), solver_se=np.full(257, 0.02)))
    assert blocks.ts[-1] == 256
    np.testing.assert_allclose(blocks.solver_se, [0.02 / 2**0.5] * 128 + [0.02])


def test_a_block_of_three_has_thrice_the_items_and_a_row_to_come_has_not():
    ts = np.arange(600.0)
    blocks = thinned(Trajectory(ts, np.full(600, 0.5), kind="accuracy", num_items=50))
    assert blocks.num_items == 150
    seen = Observations.of_accuracies(blocks.ts, blocks.solver, blocks.num_items, None)
    assert seen.relative_noise == pytest.approx(150**-0.5)
    assert seen.of_single_rows(3).relative_noise == pytest.approx(50**-0.5)
