"""Toy policies against enumeration, Monte Carlo, formulas by hand and SciPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.integrate import solve_ivp

from jaxgap.dynamics import BernoulliPolicy, SoftmaxPolicy, train_policy
from jaxgap.dynamics.best_of_n import selected_distribution

PROBS = np.array([0.2, 0.5, 0.3])
ACCEPT = np.array([0.9, 0.3, 0.0])


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module", name="policy")
def _policy():
    """Five prompts, four answers of different lengths, a noisy verifier."""
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        return SoftmaxPolicy(
            jnp.asarray(rng.standard_normal((5, 4))),
            jnp.asarray(rng.random((5, 4)) < 0.4, float),
            jnp.asarray(rng.random((5, 4))),
            jnp.asarray(rng.integers(1, 6, (5, 4)), float),
            num_candidates=3,
        )


def by_enumeration(probs, accept, uncertainty, num_candidates):
    """Every tuple of candidates, each passing or not."""
    selected = np.zeros(len(probs))
    outcomes = list(itertools.product(range(len(probs)), (True, False)))
    for candidates in itertools.product(outcomes, repeat=num_candidates):
        weight = np.prod([probs[a] * (accept[a] if ok else 1 - accept[a]) for a, ok in candidates])
        passing = [answer for answer, ok in candidates if ok]
        among = passing or [answer for answer, _ in candidates]
        selected[min(among, key=lambda answer: (uncertainty[answer], answer))] += weight
    return selected


@pytest.mark.parametrize("num_candidates", [1, 2, 4])
@pytest.mark.parametrize("uncertainty", [-np.log(PROBS), np.array([3.0, 1.0, 1.0])])
def test_selection_is_that_of_all_tuples(num_candidates, uncertainty):
    found = selected_distribution(PROBS, ACCEPT, uncertainty, num_candidates)
    expected = by_enumeration(PROBS, ACCEPT, uncertainty, num_candidates)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@jax.jit
def select_from_16(probs, accept):
    return selected_distribution(probs, accept, -jnp.log(probs), 16)


@settings(deadline=None, max_examples=100)
@given(
    masses=st.lists(st.floats(1e-6, 1.0), min_size=5, max_size=5),
    accept=st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5),
)
def test_selections_are_distributions_of_what_can_be_sampled(masses, accept):
    probs = jnp.asarray(masses) / sum(masses)
    selected = np.asarray(select_from_16(probs, jnp.asarray(accept)))
    np.testing.assert_allclose(selected.sum(), 1.0, rtol=1e-12)
    assert (selected >= -1e-15).all()
    assert (selected <= 16 * probs + 1e-12).all()


def test_capabilities_agree_with_monte_carlo(policy):
    """The loop itself, by sampling: candidates, verdicts, the surest per token, totals."""
    rng, num_samples = np.random.default_rng(0), 40_000
    log_probs = np.asarray(policy.log_probs(policy.logits))
    solver, verifier, right = [], [], []
    for prompt in range(5):
        shape = (num_samples, policy.num_candidates)
        answers = rng.choice(4, p=np.exp(log_probs[prompt]), size=shape)
        passing = rng.random(shape) < np.asarray(policy.pass_probs[prompt])[answers]
        per_token = -log_probs[prompt] / np.asarray(policy.num_tokens[prompt])
        ranking = per_token[answers] + np.where(passing, 0.0, 1e6)
        chosen = answers[np.arange(num_samples), ranking.argmin(axis=1)]
        solver.append(-log_probs[prompt][answers[:, 0]])
        verifier.append(-log_probs[prompt][chosen])
        right.append(np.asarray(policy.is_right[prompt])[np.stack([answers[:, 0], chosen])])
    samples = np.array([solver, verifier])
    standard_errors = samples.std(axis=2).max() / np.sqrt(5 * num_samples)
    found = policy.capabilities(policy.logits)
    np.testing.assert_allclose(found, samples.mean(axis=(1, 2)), atol=4 * standard_errors)
    np.testing.assert_allclose(
        policy.accuracies(policy.logits), np.mean(right, axis=(0, 2)), atol=0.006
    )


def test_the_flow_descends_the_loss_on_selected_answers(policy):
    selected = policy.selected(policy.logits)
    probs = jnp.exp(policy.log_probs(policy.logits))
    np.testing.assert_allclose(policy.flow(policy.logits), selected - probs, atol=1e-14)


@pytest.mark.parametrize("theta", [-1.3, 0.7, 3.0])
@pytest.mark.parametrize("num_candidates", [2, 16])
def test_a_bernoulli_policy_is_its_formulas(theta, num_candidates):
    policy = BernoulliPolicy(jnp.array([theta]), 1.0, 0.0, num_candidates)
    p = 1 / (1 + np.exp(-theta))
    q = 1 - (1 - p) ** num_candidates
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    cross_entropy = -q * np.log(p) - (1 - q) * np.log(1 - p)
    logits = policy.logits
    np.testing.assert_allclose(policy.capabilities(logits), [entropy, cross_entropy], rtol=1e-12)
    np.testing.assert_allclose(policy.accuracies(logits), [p, q], rtol=1e-12)
    np.testing.assert_allclose(policy.flow(logits), [q - p], rtol=1e-10)
    solver_slope, verifier_slope = policy.slopes(logits)
    p_rate = p * (1 - p) * (q - p)
    np.testing.assert_allclose(solver_slope, -theta * p_rate, rtol=1e-10)
    q_rate = num_candidates * (1 - p) ** (num_candidates - 1) * p_rate
    np.testing.assert_allclose(
        verifier_slope, -theta * q_rate - (q / p - (1 - q) / (1 - p)) * p_rate, rtol=1e-9
    )


def test_two_answers_are_the_bernoulli_policy_at_twice_the_speed():
    ts = jnp.linspace(0.0, 12.0, 7)
    thetas = jnp.array([0.4, -0.8])
    two = SoftmaxPolicy(
        jnp.stack([thetas / 2, -thetas / 2], axis=1),
        jnp.array([[1.0, 0.0]] * 2),
        jnp.array([[0.9, 0.2]] * 2),
        jnp.ones((2, 2)),
        num_candidates=4,
    )
    one = train_policy(BernoulliPolicy(thetas, 0.9, 0.2, 4), 2 * ts)
    run = train_policy(two, ts)
    np.testing.assert_allclose(run.ys, one.ys, rtol=1e-6)
    np.testing.assert_allclose(run.slopes, 2 * one.slopes, rtol=1e-5, atol=1e-9)


def test_a_bernoulli_run_agrees_with_scipy_and_ends_as_a_power_of_time():
    ts = np.linspace(0.0, 400.0, 9)

    def field(t, p):
        return p * (1 - p) * (1 - (1 - p) ** 16 - p)

    p0 = 1 / (1 + np.exp(-0.5))
    expected = solve_ivp(field, (0, 400), [p0], t_eval=ts, rtol=1e-10, atol=1e-12).y[0]
    run = train_policy(BernoulliPolicy(jnp.array([0.5]), 1.0, 0.0, 16), ts)
    np.testing.assert_allclose(run.accuracies[:, 0], expected, rtol=1e-6)
    # The wrong answer's probability is nearly 1 / t.
    np.testing.assert_allclose((1 - run.accuracies[-1, 0]) * 400, 1.0, atol=0.05)


def test_slopes_are_those_of_the_curves(policy):
    ts = jnp.linspace(0.0, 1.0, 201)
    run = train_policy(policy, ts)
    numeric = np.gradient(np.asarray(run.ys), np.asarray(ts), axis=0)[5:-5]
    # Where two answers change places in sureness, the slopes jump: compare all but those.
    error = np.abs(numeric - run.slopes[5:-5]).max(axis=1)
    assert np.mean(error < 1e-3) > 0.95
    np.testing.assert_allclose(run.gap, run.ys[:, 0] - run.ys[:, 1])
    np.testing.assert_allclose(
        run.closing_speed, -(run.slopes @ jnp.array([1.0, -1.0])), atol=1e-14
    )


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_gradients(policy, mode):
    check_grads(jax.jit(lambda z: policy.capabilities(z)), (policy.logits,), 1, [mode], rtol=1e-5)


def test_selection_under_vmap():
    batch = jnp.stack([jnp.asarray(PROBS), jnp.asarray(PROBS[::-1])])
    both = jax.vmap(select_from_16, in_axes=(0, None))(batch, jnp.asarray(ACCEPT))
    np.testing.assert_allclose(both[1], select_from_16(batch[1], jnp.asarray(ACCEPT)), rtol=1e-14)


def test_32_bits_are_refused(policy):
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs 64-bit floats"):
        train_policy(policy, jnp.array([0.0, 1.0]))
