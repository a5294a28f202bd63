"""The batched solver against Optimistix and MINPACK, on its hard cases, and lane by lane."""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
import pytest
from scipy.optimize import least_squares

from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt
from jaxgap.fitting.least_squares.levenberg_marquardt import (
    LevenbergMarquardt,
    Status,
    has_converged,
)
from jaxgap.fitting.least_squares.minimiser import minimise


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


# Problems of Moré, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM Trans.
# Math. Softw. 7 (1981), with their numbers, starts and sums of squares there; and two of our own.

BARD = [.14, .18, .22, .25, .29, .32, .35, .39, .37, .58, .73, .96, 1.34, 2.10, 4.39]  # fmt: skip
OSBORNE = [
    .844, .908, .932, .936, .925, .908, .881, .850, .818, .784, .751, .718, .685, .658, .628, .603,
    .580, .558, .538, .522, .506, .490, .478, .467, .457, .448, .438, .431, .424, .420, .414, .411,
    .406,
]  # fmt: skip
KOWALIK = [.1957, .1947, .1735, .1600, .0844, .0627, .0456, .0342, .0323, .0235, .0246]  # fmt: skip
KOWALIK_AT = [4, 2, 1, .5, .25, .167, .125, .1, .0833, .0714, .0625]  # fmt: skip
TIMES = np.linspace(0, 10, 20)
NOISE = np.random.default_rng(0).normal(scale=0.02, size=20)


def rosenbrock(y, args):
    return jnp.stack([10 * (y[1] - y[0] ** 2), 1 - y[0]])


def powell_singular(y, args):
    a, b, c, d = y
    return jnp.stack([a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2])


def freudenstein_roth(y, args):
    a, b = y
    return jnp.stack([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])


def bard(y, args):
    u = jnp.arange(1.0, 16.0)
    return jnp.array(BARD) - (y[0] + u / (y[1] * (16 - u) + y[2] * jnp.minimum(u, 16 - u)))


def kowalik_osborne(y, args):
    u = jnp.array(KOWALIK_AT)
    return jnp.array(KOWALIK) - y[0] * (u**2 + u * y[1]) / (u**2 + u * y[2] + y[3])


def osborne(y, args):
    t = 10.0 * jnp.arange(33.0)
    return jnp.array(OSBORNE) - (y[0] + y[1] * jnp.exp(-t * y[3]) + y[2] * jnp.exp(-t * y[4]))


def exponential(y, args):
    truth = 0.2 + 3.0 * np.exp(-0.4 * TIMES) + NOISE
    return y[0] + y[1] * jnp.exp(-y[2] * TIMES) - truth


def badly_scaled_line(y, args):
    return 1e8 * y[0] + 1e-8 * y[1] * TIMES - (1.0 + 2.0 * TIMES)


PROBLEMS = {
    "Rosenbrock": (rosenbrock, [-1.2, 1.0], 0.0),
    "Powell singular": (powell_singular, [3.0, -1.0, 0.0, 1.0], 0.0),
    "Freudenstein and Roth, local": (freudenstein_roth, [0.5, -2.0], 48.9842),
    "Bard": (bard, [1.0, 1.0, 1.0], 8.21487e-3),
    "Kowalik and Osborne": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], 3.07505e-4),
    "Osborne 1": (osborne, [0.5, 1.5, -1.0, 0.01, 0.02], 5.46489e-5),
    "exponential with noise": (exponential, [0.5, 2.0, 1.0], None),
    "badly scaled line": (badly_scaled_line, [0.0, 0.0], 0.0),
}


def optimistix_cost(residual_fn, y0):
    solver = optx.LevenbergMarquardt(rtol=1e-10, atol=1e-10)
    y = optx.least_squares(residual_fn, solver, y0, max_steps=5000, throw=False).value
    return float(jnp.sum(residual_fn(y, None) ** 2))


def minpack_cost(residual_fn, y0):
    jacobian = jax.jit(jax.jacfwd(lambda y: residual_fn(y, None)))
    residuals = jax.jit(lambda y: residual_fn(y, None))
    fit = least_squares(
        lambda y: np.asarray(residuals(y)), y0, lambda y: np.asarray(jacobian(y)), method="lm"
    )
    return 2 * fit.cost


# Optimistix, which compiles each problem anew, is asked about one; MINPACK about all.
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        *((name, minpack_cost) for name in PROBLEMS),
        ("Osborne 1", optimistix_cost),
        *(
            pytest.param(name, optimistix_cost, marks=pytest.mark.slow)
            for name in PROBLEMS
            if name != "Osborne 1"
        ),
    ],
)
def test_finds_what_others_find(name, reference):
    residual_fn, y0, published = PROBLEMS[name]
    y0 = jnp.array(y0)
    # Powell's singular problem takes 129 steps or 285, as XLA has it rounded.
    solution = levenberg_marquardt(residual_fn, y0[None], max_steps=1000)
    squares = 2 * float(solution.cost[0])
    assert squares <= reference(residual_fn, y0) * (1 + 1e-6) + 1e-15
    if published is not None:
        assert squares == pytest.approx(published, rel=1e-5, abs=1e-15)
    assert solution.converged[0], Status(int(solution.status[0])).name
    assert float(jnp.sum(residual_fn(solution.y[0], None) ** 2)) == pytest.approx(squares)


# A batch of exponentials with noise, easy and hard, for everything about lanes.


def decay(y, args):
    ts, data = args
    return y[0] + y[1] * jnp.exp(-jnp.exp(y[2]) * ts) - data


def decays(num_curves):
    rng = np.random.default_rng(1)
    ts = np.broadcast_to(np.linspace(0, 8, 15), (num_curves, 15))
    rate = np.exp(rng.uniform(-2.5, 1.0, (num_curves, 1)))
    data = 1 + rng.uniform(0.5, 5, (num_curves, 1)) * np.exp(-rate * ts)
    data = data + rng.normal(scale=0.05, size=data.shape)
    y0 = np.stack([data[:, -1], data[:, 0] - data[:, -1], np.full(num_curves, -0.5)], axis=1)
    return jnp.asarray(y0), (jnp.asarray(ts), jnp.asarray(data))


@pytest.mark.parametrize("num_lanes", [1, 3, 16, 50, 1000])
def test_the_number_of_lanes_changes_nothing(num_lanes):
    y0, args = decays(50)
    everything_at_once = levenberg_marquardt(decay, y0, args, num_lanes=50)
    queued = levenberg_marquardt(decay, y0, args, num_lanes=num_lanes)
    assert bool(jnp.all(everything_at_once.converged))
    np.testing.assert_array_equal(queued.num_steps, everything_at_once.num_steps)
    # Which of the tests is met first is a matter of rounding, and lanes round in their own way.
    np.testing.assert_array_equal(queued.converged, everything_at_once.converged)
    np.testing.assert_allclose(queued.y, everything_at_once.y, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(queued.cost, everything_at_once.cost, rtol=1e-12)


def test_neighbours_change_nothing():
    y0, (ts, data) = decays(20)
    alone = levenberg_marquardt(decay, y0[:10], (ts[:10], data[:10]), num_lanes=4)
    broken = data.at[10:].set(jnp.nan)
    beside = levenberg_marquardt(decay, y0, (ts, broken), num_lanes=4)
    np.testing.assert_allclose(beside.y[:10], alone.y, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(beside.status[:10], alone.status)
    np.testing.assert_array_equal(beside.status[10:], Status.NOT_FINITE)
    np.testing.assert_array_equal(beside.y[10:], y0[10:])
    assert not bool(jnp.any(beside.converged[10:]))


def test_the_same_call_gives_the_same_bits_and_can_be_inside_jit():
    y0, args = decays(20)
    first = levenberg_marquardt(decay, y0, args, num_lanes=8)
    again = levenberg_marquardt(decay, y0, args, num_lanes=8)
    inside = jax.jit(lambda y0, args: levenberg_marquardt(decay, y0, args, num_lanes=8))(y0, args)
    for one, two, three in zip(first, again, inside, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, three, rtol=1e-12)


def test_masked_rows_do_not_count_whatever_they_hold():
    y0, (ts, data) = decays(6)
    lengths = jnp.array([5, 8, 15, 4, 10, 12])
    mask = jnp.arange(15) < lengths[:, None]
    padded = jnp.where(mask, ts, jnp.nan), jnp.where(mask, data, jnp.inf)
    batch = levenberg_marquardt(decay, y0, padded, mask=mask)
    for i, length in enumerate(lengths.tolist()):
        short = (ts[i : i + 1, :length], data[i : i + 1, :length])
        one = levenberg_marquardt(decay, y0[i : i + 1], short)
        np.testing.assert_allclose(batch.cost[i], one.cost[0], rtol=1e-7)
        assert int(batch.status[i]) == int(one.status[0])


# Degenerate problems.


def solve_one(residual_fn, y0, **options):
    solution = levenberg_marquardt(residual_fn, jnp.array([y0]), **options)
    return solution.y[0], Status(int(solution.status[0])), int(solution.num_steps[0])


def test_a_start_at_the_optimum_takes_no_step():
    y, status, num_steps = solve_one(lambda y, _: jnp.stack([y[0] - 1, y[0] + 1]), [0.0])
    assert (float(y[0]), status, num_steps) == (0.0, Status.GRADIENT, 0)


def test_no_residual_left_counts_as_converged():
    y, status, num_steps = solve_one(rosenbrock, [1.0, 1.0])
    assert (y.tolist(), status, num_steps) == ([1.0, 1.0], Status.GRADIENT, 0)


def test_parameters_that_cannot_be_told_apart_still_reach_the_optimum():
    residuals = lambda y, _: jnp.exp(-(y[0] + y[1]) * TIMES) - jnp.exp(-0.3 * TIMES)  # noqa: E731
    y, status, _ = solve_one(residuals, [1.0, 0.2])
    assert has_converged(jnp.asarray(status))
    assert float(y[0] + y[1]) == pytest.approx(0.3, abs=1e-7)


def test_a_parameter_without_effect_stays_where_it_is():
    y, status, _ = solve_one(lambda y, _: jnp.stack([y[0] ** 2 - 4, y[0] - 2]), [5.0, 7.0])
    assert has_converged(jnp.asarray(status))
    np.testing.assert_allclose(y, [2.0, 7.0], atol=1e-6)


@pytest.mark.parametrize("plateau", [20.0, 22.0, 23.5, 24.0, 24.3, 25.0, 30.0])
def test_a_coordinate_on_a_plateau_does_not_end_a_fit_for_the_others(plateau):
    # Its wanted step is enormous; cut to the longest allowed, it leaves hardly any for the other.
    residuals = lambda y, _: jnp.stack([100 * (y[0] - 5), jnp.exp(-y[1]) - 1])  # noqa: E731
    found = minimise(LevenbergMarquardt(), residuals, jnp.array([[4.0, plateau]]))
    assert bool(found.converged[0])
    assert float(found.coordinates[0, 0]) == pytest.approx(5.0, abs=1e-6)


def test_a_step_onto_not_a_number_is_refused():
    # From 3 the full step goes to about -0.3, where the logarithm does not exist.
    y, status, num_steps = solve_one(lambda y, _: jnp.log(y), [3.0])
    assert has_converged(jnp.asarray(status))
    assert float(y[0]) == pytest.approx(1.0)
    assert num_steps < 20


def test_a_wall_of_not_a_number_ends_the_fit_without_calling_it_converged():
    residuals = lambda y, _: jnp.where(y < 1, jnp.nan, y)  # noqa: E731
    _, status, num_steps = solve_one(residuals, [1.0])
    assert status is Status.STALLED
    assert num_steps < 30


def test_the_number_of_steps_is_bounded_for_each_problem():
    y0 = jnp.array([[-1.2, 1.0], [1.0, 1.0]])
    solution = levenberg_marquardt(rosenbrock, y0, max_steps=3)
    assert solution.num_steps.tolist() == [3, 0]
    assert solution.status.tolist() == [Status.MAX_STEPS, Status.GRADIENT]


@pytest.mark.parametrize("tolerance", ["ftol", "xtol", "gtol"])
def test_each_tolerance_ends_a_fit_by_itself(tolerance):
    only = {"ftol": 0.0, "xtol": 0.0, "gtol": 0.0} | {tolerance: 1e-6}
    _, status, _ = solve_one(exponential, [0.5, 2.0, 1.0], **only)
    expected = {"ftol": Status.COST, "xtol": Status.STEP, "gtol": Status.GRADIENT}
    assert status is expected[tolerance]


def test_an_empty_batch_is_solved():
    solution = levenberg_marquardt(rosenbrock, jnp.zeros((0, 2)))
    assert solution.y.shape == (0, 2)


@pytest.mark.parametrize(
    ("y0", "options", "message"),
    [
        (jnp.zeros(2), {}, r"y0 must be floats of shape \(batch, params\)"),
        (jnp.zeros((1, 2), int), {}, "got int"),
        (jnp.zeros((1, 2)), {"num_lanes": 0}, "num_lanes must be at least 1, got 0"),
    ],
)
def test_misuse_is_refused_with_a_reason(y0, options, message):
    with pytest.raises(ValueError, match=message):
        levenberg_marquardt(rosenbrock, y0, **options)
