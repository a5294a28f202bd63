r"""The smallest policy: right or wrong.

Each prompt has a right answer, given with probability $p = \sigma(\theta)$, and a wrong one, so
everything is a function of $p$. With $q$ the probability that the selected answer is right,

$$\dot\theta = q - p, \qquad \dot p = p (1 - p)(q - p), \qquad
  \frac{dU_s}{dt} = -\theta\, p (1 - p) (q - p).$$

Under a perfect verifier $q = 1 - (1 - p)^N$, so that the probability of a wrong answer falls as
$\dot w = -w^2 (1 - w)(1 - w^{N - 1})$: near the end $w \approx 1/t$, a power of time rather than an
exponential. And while $p < 1/2$ the entropy $U_s$ rises, because the way from a confident wrong
answer to a confident right one passes through maximum entropy.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.dynamics.toy_policy import AbstractToyPolicy
from jaxgap.dynamics.types import RealScalar


class BernoulliPolicy(AbstractToyPolicy):
    r"""A right and a wrong answer to each prompt, each one token long.

    **Arguments:**

    - `logits`: $\theta$ at time zero, shape `(prompts,)`: the log-odds of the right answer.
    - `sensitivity`: in [0, 1], how often the verifier accepts a right answer.
    - `false_alarms`: in [0, 1], how often it accepts a wrong one.
    - `num_candidates`: $N \ge 1$.

    **Example:**

    >>> policy = BernoulliPolicy(jnp.array([0.0]), 1.0, 0.0, num_candidates=2)
    >>> policy.accuracies(policy.logits).tolist()
    [0.5, 0.75]
    """

    logits: Float[Array, " prompts"]
    sensitivity: RealScalar
    false_alarms: RealScalar
    num_candidates: int = eqx.field(static=True)

    def log_probs(self, logits: Float[Array, " prompts"]) -> Float[Array, "prompts 2"]:
        return jax.nn.log_sigmoid(jnp.stack([logits, -logits], axis=1))

    def accept(self) -> Float[Array, "prompts 2"]:
        return jnp.broadcast_to(
            jnp.stack([jnp.asarray(self.sensitivity), jnp.asarray(self.false_alarms)]),
            (*self.logits.shape, 2),
        )

    def right(self) -> Float[Array, "prompts 2"]:
        return jnp.broadcast_to(jnp.array([1.0, 0.0]), (*self.logits.shape, 2))

    def lengths(self) -> Float[Array, "prompts 2"]:
        return jnp.ones((*self.logits.shape, 2))
