"""What can go wrong inside a round without anybody's mistake."""

from __future__ import annotations

import numpy as np


class NotFinite(ArithmeticError):
    """A number that has to be finite is not; the round cannot be used.

    **Arguments:**

    - `round_index`: the round.
    - `what`: the number, in words.
    """

    def __init__(self, round_index: int, what: str):
        super().__init__(f"{what} in round {round_index} is NaN or infinite")
        self.round_index = round_index


def require_finite(values: np.ndarray, what: str, round_index: int) -> None:
    """Refuse numbers with which a round cannot be used.

    **Raises:** `NotFinite`.
    """
    if not np.isfinite(values).all():
        raise NotFinite(round_index, what)
