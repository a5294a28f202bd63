"""The allocation of external responses over the rounds of a run.

A budget of responses is spread by shares `eta_t >= 0` with `sum_t eta_t = 1`: a share `eta_t` of
them is used in round t (Sun et al., arXiv:2507.00075, section 5).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from jaxgap.errors import InputError
from jaxgap.improve.config import ImproveConfig

_ROUNDING = 1e-9  # in a sum of shares times a number of responses
# Shares typed by hand or copied from a planned schedule may miss 1 by this; they are rescaled.
_SUM_TOLERANCE = 1e-3 + _ROUNDING  # nine of .111 do, by a little more than .001


def shares(allocation: str, num_rounds: int) -> tuple[float, ...]:
    """The share `eta_t` of each round.

    **Arguments:**

    - `allocation`: `early` (all in the first round), `uniform`, `late` (all in the last), or the
        shares themselves separated by commas; if their sum is within 0.1 % of 1, they are rescaled
        to sum to 1. Later rounds get none.
    - `num_rounds`: number of rounds in the run.

    **Raises:** `InputError` if it is none of these, or the shares do not sum to 1.

    >>> shares("uniform", 4), shares("0.5,0.5", 3)
    ((0.25, 0.25, 0.25, 0.25), (0.5, 0.5, 0.0))
    """
    match allocation:
        case "early":
            return (1.0,) + (0.0,) * (num_rounds - 1)
        case "late":
            return (0.0,) * (num_rounds - 1) + (1.0,)
        case "uniform":
            return (1 / num_rounds,) * num_rounds
    try:
        given = [float(share) for share in allocation.split(",")]
    except ValueError:
        given = []
    legal = given and all(0 <= share <= 1 + _SUM_TOLERANCE for share in given)
    total = math.fsum(given) if legal else 0.0
    if abs(total - 1) > _SUM_TOLERANCE or len(given) > num_rounds:
        raise InputError(
            f"allocation must be early, uniform, late, or at most {num_rounds} shares that sum to "
            f"1, separated by commas, got {allocation!r:.80}"
        )
    if abs(total - 1) > _ROUNDING:
        given = [share / total for share in given]
    return (*given, *(0.0,) * (num_rounds - len(given)))


def prolonged(config: ImproveConfig, more_rounds: int) -> ImproveConfig:
    """The configuration extended by more rounds, in which no external response is used again."""
    if not more_rounds:
        return config
    allocation = config.allocation
    if config.external:
        allocation = ",".join(map(repr, shares(allocation, config.num_rounds)))
    num_rounds = config.num_rounds + more_rounds
    return dataclasses.replace(config, num_rounds=num_rounds, allocation=allocation)


def ends_of_rounds(eta: Sequence[float], num_responses: int) -> Int[np.ndarray, " rounds"]:
    """How many of the responses have been used after each round.

    >>> ends_of_rounds((0.5, 0.25, 0.25), 10).tolist()
    [5, 8, 10]
    """
    # Halves round up: rounding half to even would turn equal shares into unequal steps.
    return np.floor(np.cumsum(eta) * num_responses + 0.5 + _ROUNDING).astype(int)
