r"""Which answer a verifier selects from N candidates: the exact distribution.

The solver samples N answers independently. The verifier accepts each with a probability that
depends on the answer, and of the accepted ones the model's most confident is selected: the one of
lowest negative log-likelihood, per token where answers differ in length. If none is accepted, all
score equally, and again the most confident one is selected.

With the answers ordered by confidence this needs no enumeration of N-tuples: no answer ranked above
the k-th is selected if and only if no candidate is such an answer and accepted, and the candidates
are independent.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float


def selected_distribution(
    probs: Float[Array, " answers"],
    accept: Float[Array, " answers"],
    uncertainty: Float[Array, " answers"],
    num_candidates: int,
) -> Float[Array, " answers"]:
    r"""The distribution of the answer selected from N independent candidates.

    $$q_k = (1 - S_{k-1})^N - (1 - S_k)^N + (F - F_{k-1})^N - (F - F_k)^N, \qquad
      S_k = \sum_{j \le k} \pi_j a_j, \quad F_k = \sum_{j \le k} \pi_j (1 - a_j), \quad F = F_K,$$

    with the answers in increasing order of uncertainty; the first difference covers the case that
    some candidate is accepted, the second that none is.

    **Arguments:**

    - `probs`: $\pi_k$, summing to one, shape `(answers,)`.
    - `accept`: $a_k$ in [0, 1], the probability that the verifier accepts each answer.
    - `uncertainty`: what accepted candidates are ranked by, lowest first; ties go to the first in
        the array.
    - `num_candidates`: $N \ge 1$.

    **Returns:**

    $q_k$, in the order of the arguments. Its derivatives are those at a fixed ranking of the
    uncertainties.

    **Example:**

    >>> probs, accept = jnp.array([0.5, 0.5]), jnp.array([1.0, 0.0])
    >>> selected_distribution(probs, accept, -jnp.log(probs), num_candidates=2).tolist()
    [0.75, 0.25]

    The selection is that of Sun et al. (arXiv:2507.00075v4), section 3; its distribution is derived
    here.
    """
    order = jnp.argsort(uncertainty, stable=True)
    passing = (probs * accept)[order]
    failing = (probs * (1 - accept))[order]
    selected = _first_of(passing, 1.0, num_candidates)
    selected = selected + _first_of(failing, jnp.sum(failing), num_candidates)
    return jnp.zeros_like(selected).at[order].set(selected)


def _first_of(
    masses: Float[Array, " answers"], total: Float[Array, ""] | float, num_candidates: int
) -> Float[Array, " answers"]:
    """For each answer: the probability that all candidates lie in `total` and it ranks first."""
    beyond = jnp.concatenate([jnp.zeros(1, masses.dtype), jnp.cumsum(masses)])
    none_yet = jnp.maximum(total - beyond, 0.0) ** num_candidates
    return none_yet[:-1] - none_yet[1:]
