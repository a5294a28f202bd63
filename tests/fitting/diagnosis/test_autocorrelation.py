"""The lag-1 autocorrelation against a plain sum, and its correction against simulated noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import lfilter

from jaxgap.fitting.diagnosis.autocorrelation import lag_one, noise_memory

NUM_ROWS, NUM_SERIES = 40, 4000


def residuals(rho, degree):
    """Series of an AR(1) process, shape `(T, series)`, less the polynomial fitted to each."""
    steps = np.random.default_rng(0).standard_normal((300 + NUM_ROWS, NUM_SERIES))
    noise = lfilter([1.0], [1.0, -rho], steps, axis=0)[300:]
    ts = np.arange(NUM_ROWS)
    return noise - np.vander(ts, degree + 1) @ np.polyfit(ts, noise, degree)


@given(arrays(float, (9, 2), elements=st.floats(-10, 10)))
def test_several_series_share_one_autocorrelation(rows):
    power = sum(each**2 for each in rows.ravel())
    products = sum(rows[t, s] * rows[t + 1, s] for t in range(8) for s in range(2))
    assert lag_one(rows) == pytest.approx(products / power if power > 1e-290 else 0.0, abs=1e-12)
    assert 0 <= noise_memory(rows) <= 0.95


@pytest.mark.parametrize("of_line", [False, True])
@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_the_correction_removes_the_bias(rho, of_line):
    series = residuals(rho, degree=int(of_line)).T
    plain = np.mean([lag_one(each) for each in series])
    corrected = np.mean([noise_memory(each, of_line=of_line) for each in series])
    assert plain < rho - 0.05
    assert abs(corrected - rho) < 0.4 * abs(plain - rho)
