"""What a fit sees of a trajectory: padding has no weight, and accuracies are error rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.fitting.curves import curves_of, padded_length, stack
from jaxgap.trajectory import Trajectory

TS = np.array([1.0, 2.0, 4.0, 5.0])
SOLVER = np.array([0.2, 0.4, 0.5, 0.55])
VERIFIER = np.array([0.5, 0.6, 0.65, 0.7])


@given(st.integers(1, 5000))
def test_padded_lengths_are_few_and_sufficient(num_rows):
    length = padded_length(num_rows)
    assert length >= num_rows
    assert length == 16 or length < 2 * num_rows
    assert np.log2(length).is_integer()


def test_padding_repeats_the_last_time_and_has_no_weight():
    curves = curves_of(Trajectory(TS, SOLVER, VERIFIER), 16)
    np.testing.assert_array_equal(curves.ts, [*TS, *[5.0] * 12])
    assert (curves.weights[:4] > 0).all()
    assert not curves.weights[4:].any()
    assert (curves.num_measurements, curves.t0, curves.duration) == (8, 1.0, 4.0)


def test_accuracies_are_error_rates():
    run = Trajectory(TS, SOLVER, VERIFIER, kind="accuracy", num_items=100)
    curves = curves_of(run, 4)
    np.testing.assert_array_equal(curves.ys, 1.0 - np.stack([SOLVER, VERIFIER], -1))
    assert curves.num_items == 100


def test_a_verifier_that_was_not_measured_has_no_weight():
    curves = curves_of(Trajectory(TS, SOLVER), 4)
    assert not curves.has_verifier
    assert not curves.weights[:, 1].any()
    assert curves.num_measurements == 4


def test_given_standard_errors_are_the_weights():
    errors = np.full((4, 2), [0.01, 0.02])
    curves = curves_of(Trajectory(TS, SOLVER, VERIFIER), 4, errors)
    np.testing.assert_allclose(curves.weights, 1 / errors)
    assert curves.noise_known


@pytest.mark.parametrize("scale", [1e-3, 7.0])
def test_weights_without_errors_are_free_of_units(scale):
    plain = curves_of(Trajectory(TS, SOLVER, VERIFIER), 4)
    scaled = curves_of(Trajectory(TS, scale * SOLVER, scale * VERIFIER), 4)
    np.testing.assert_allclose(scaled.ys * scaled.weights, plain.ys * plain.weights)


def test_a_batch_has_every_curve():
    curves = [curves_of(Trajectory(TS + shift, SOLVER, VERIFIER), 16) for shift in (0.0, 3.0)]
    np.testing.assert_array_equal(stack(curves).t0, [1.0, 4.0])
