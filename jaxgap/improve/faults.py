"""Numerical failures within a round."""

from __future__ import annotations

import numpy as np


class NotFinite(ArithmeticError):
    """A number that must be finite is not; the round cannot be used.

    **Arguments:**

    - `round_index`: the round.
    - `what`: the number, in words.
    """

    def __init__(self, round_index: int, what: str):
        super().__init__(f"{what} in round {round_index} is NaN or infinite")
        self.round_index = round_index


def require_finite(values: np.ndarray, what: str, round_index: int) -> None:
    """Reject NaN and infinite values.

    **Raises:** `NotFinite`.
    """
    if not np.isfinite(values).all():
        raise NotFinite(round_index, what)
