r"""A tabular softmax policy: a few answers to each prompt, with a logit for each.

Its flow is $\dot\theta_k = q_k - \pi_k$: every answer's logit grows by how much more often it is
selected than sampled. Which answers are right, how long they are and how often the verifier accepts
each can be set freely, so that the verifier may err differently on each prompt: one that likes a
wrong answer teaches it.
"""

import equinox as eqx
import jax
from jaxtyping import Array, Float

from jaxgap.dynamics.toy_policy import AbstractToyPolicy


class SoftmaxPolicy(AbstractToyPolicy):
    r"""Several answers to each prompt, $\pi = \mathrm{softmax}(\theta)$.

    **Arguments:**

    - `logits`: $\theta$ at time zero, shape `(prompts, answers)`.
    - `is_right`: one for right answers, zero for wrong ones, of that shape.
    - `pass_probs`: in [0, 1], how often the verifier accepts each answer, of that shape.
    - `num_tokens`: each answer's length > 0, of that shape.
    - `num_candidates`: $N \ge 1$.

    **Example:**

    >>> import jax.numpy as jnp
    >>> ones = jnp.ones((1, 3))
    >>> right = jnp.array([[1.0, 0.0, 0.0]])
    >>> policy = SoftmaxPolicy(jnp.zeros((1, 3)), right, right, ones, num_candidates=2)
    >>> [round(value, 4) for value in policy.accuracies(policy.logits).tolist()]
    [0.3333, 0.5556]
    """

    logits: Float[Array, "prompts answers"]
    is_right: Float[Array, "prompts answers"]
    pass_probs: Float[Array, "prompts answers"]
    num_tokens: Float[Array, "prompts answers"]
    num_candidates: int = eqx.field(static=True)

    def log_probs(self, logits: Float[Array, "prompts answers"]) -> Float[Array, "prompts answers"]:
        return jax.nn.log_softmax(logits, axis=1)

    def accept(self) -> Float[Array, "prompts answers"]:
        return self.pass_probs

    def right(self) -> Float[Array, "prompts answers"]:
        return self.is_right

    def lengths(self) -> Float[Array, "prompts answers"]:
        return self.num_tokens
