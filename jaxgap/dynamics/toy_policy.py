r"""Policies small enough that the theory's quantities can be derived instead of assumed.

The theory postulates $dU_s/dt = -\alpha E$, $dU_v/dt = -\beta E$ with $E = f(G)$. A policy whose
parameters are the logits of a few answers has exact expectations, so all of this can be computed:
the capabilities $U_s$ and $U_v$, the gradient of the training loss, and $dU_s/dt$ and $dU_v/dt$
along its flow. Whether these are functions of the gap, whether the functions are linear, and
whether their ratio is constant are then results, not assumptions.

Training is the gradient flow of the negative log-likelihood of the selected responses,

$$\frac{d\theta}{dt} = -\nabla_\theta\, \mathbb{E}_{y \sim q}[-\log \pi_\theta(y)] ,$$

in which the selected responses, once drawn, are fixed: the distribution $q$ is not differentiated.
Time is measured in learning rate times steps.
"""

import abc
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import AbstractVar
from jaxtyping import Array, Float

from jaxgap.dynamics.best_of_n import selected_distribution
from jaxgap.dynamics.types import as_floats, require_float64


class AbstractToyPolicy(eqx.Module):
    """Independent prompts, each with its own answer distribution, parametrised by `logits`."""

    logits: AbstractVar[Float[Array, "prompts ..."]]
    num_candidates: AbstractVar[int]

    @abc.abstractmethod
    def log_probs(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "prompts answers"]:
        """The log-probability of every answer to every prompt."""

    @abc.abstractmethod
    def accept(self) -> Float[Array, "prompts answers"]:
        """The probability that the verifier accepts each answer."""

    @abc.abstractmethod
    def right(self) -> Float[Array, "prompts answers"]:
        """One for right answers, zero for wrong ones."""

    @abc.abstractmethod
    def lengths(self) -> Float[Array, "prompts answers"]:
        """The answers' lengths in tokens: selection goes by the uncertainty per token."""

    def selected(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "prompts answers"]:
        """The distribution of the answer that the verifier selects for each prompt."""
        log_probs = self.log_probs(logits)

        def select(log_probs, accept, lengths):
            uncertainty = -log_probs / lengths
            return selected_distribution(
                jnp.exp(log_probs), accept, uncertainty, self.num_candidates
            )

        return jax.vmap(select)(log_probs, self.accept(), self.lengths())

    def capabilities(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "2"]:
        """`[U_s, U_v]`: the mean total uncertainty, in nats, of sampled and selected answers."""
        log_probs = self.log_probs(logits)
        solver = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=1)
        verifier = -jnp.sum(self.selected(logits) * log_probs, axis=1)
        return jnp.stack([jnp.mean(solver), jnp.mean(verifier)])

    def accuracies(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "2"]:
        """The fractions of sampled and of selected answers that are right."""
        both = jnp.stack([jnp.exp(self.log_probs(logits)), self.selected(logits)])
        return jnp.mean(jnp.sum(both * self.right(), axis=2), axis=1)

    def flow(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "prompts ..."]:
        """`d logits / dt`: the negative gradient of the loss on each prompt's selected answer."""
        selected = jax.lax.stop_gradient(self.selected(logits))
        return jax.grad(lambda z: jnp.sum(selected * self.log_probs(z)))(logits)

    def slopes(self, logits: Float[Array, "prompts ..."]) -> Float[Array, "2"]:
        """`[dU_s/dt, dU_v/dt]` along the flow, exactly."""
        return jax.jvp(self.capabilities, (logits,), (self.flow(logits),))[1]


class PolicyRun(NamedTuple):
    """The training run of a toy policy.

    - `ts`: times, in units of learning rate times steps.
    - `ys`: `[U_s, U_v]` in nats.
    - `slopes`: `[dU_s/dt, dU_v/dt]`.
    - `accuracies`: of sampled and of selected answers.
    - `logits`: the policy's parameters.
    """

    ts: Float[Array, " times"]
    ys: Float[Array, "times 2"]
    slopes: Float[Array, "times 2"]
    accuracies: Float[Array, "times 2"]
    logits: Float[Array, "times prompts ..."]

    @property
    def gap(self) -> Float[Array, " times"]:
        """$G = U_s - U_v$."""
        return self.ys[:, 0] - self.ys[:, 1]

    @property
    def closing_speed(self) -> Float[Array, " times"]:
        r"""$-dG/dt$, which the theory takes to be $(\alpha - \beta) f(G)$."""
        return self.slopes[:, 1] - self.slopes[:, 0]

    @property
    def ratio(self) -> Float[Array, " times"]:
        r"""$dU_v/dU_s$, which the theory takes to be constant."""
        return self.slopes[:, 1] / self.slopes[:, 0]


def train_policy(policy: AbstractToyPolicy, ts: Float[Array, " times"]) -> PolicyRun:
    r"""Follow the gradient flow of a toy policy under generate, verify and train.

    $$\frac{d\theta}{dt} = \mathbb{E}_{y \sim q}[\nabla_\theta \log \pi_\theta(y)] .$$

    **Arguments:**

    - `policy`: the policy, with its logits at time zero.
    - `ts`: increasing times >= 0, shape `(times,)`.

    **Returns:**

    A :class:`PolicyRun`.

    **Raises:**

    `ValueError` if 64-bit floats are off. A failed solve raises Diffrax's error.

    **Example:**

    >>> from jaxgap.dynamics.bernoulli_policy import BernoulliPolicy
    >>> with jax.enable_x64(True):
    ...     policy = BernoulliPolicy(jnp.array([0.5]), 1.0, 0.0, num_candidates=4)
    ...     run = train_policy(policy, jnp.array([0.0, 10.0]))
    >>> run.accuracies[:, 0].round(3).tolist()
    [0.622, 0.907]
    """
    require_float64("train_policy")
    ts = jnp.asarray(ts, dtype=float)
    return _train(as_floats(policy), ts)


@eqx.filter_jit
def _train(policy: AbstractToyPolicy, ts: Float[Array, " times"]) -> PolicyRun:
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(_flow),
        diffrax.Tsit5(),
        t0=0.0,
        t1=ts[-1],
        dt0=None,
        y0=policy.logits,
        args=policy,
        saveat=diffrax.SaveAt(ts=ts),
        stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-10),
        max_steps=65536,
    )
    logits = solution.ys
    assert logits is not None
    return PolicyRun(
        ts=ts,
        ys=jax.vmap(policy.capabilities)(logits),
        slopes=jax.vmap(policy.slopes)(logits),
        accuracies=jax.vmap(policy.accuracies)(logits),
        logits=logits,
    )


def _flow(t: Any, logits: Float[Array, "prompts ..."], args: AbstractToyPolicy):
    return args.flow(logits)
