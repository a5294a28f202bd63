r"""Where the model of external data stops making sense.

The equations have no floor. A large enough injection sends the solver's limit below zero, which no
uncertainty or error rate can reach; a gap below its limit makes the law run backwards, so that the
solver gets worse towards its limit; a jump that opens the gap so wide that a lagged law's share of
useful data would be negative stops the run for good; and one that opens it so wide that a drifting
ratio reaches one leaves no way to close it, so that the states after it are NaN. None of these
raises: the result carries a flag for each, and a sentence naming the first that fails.
"""

from typing import NamedTuple

from jaxtyping import Array, Bool


class Validity(NamedTuple):
    """Five conditions on a run with external data, each true where it holds.

    - `solver`: $U_s$ starts and ends at or above zero, and so never crosses it in between.
    - `verifier`: the same for $U_v$, at every jump and at the limit.
    - `gap`: the gap is never below its limit.
    - `moving`: the law never stands still away from its limit.
    - `ratio`: $dU_v/dU_s$ is below one at every gap on the way.
    """

    solver: Bool[Array, ""]
    verifier: Bool[Array, ""]
    gap: Bool[Array, ""]
    moving: Bool[Array, ""]
    ratio: Bool[Array, ""]

    @property
    def holds(self) -> Bool[Array, ""]:
        """Whether all five do."""
        return self.solver & self.verifier & self.gap & self.moving & self.ratio

    def reason(self) -> str | None:
        """The first failure, in words, or `None`. Not for traced values."""
        # First, as it makes NaN of what the other conditions look at.
        if not self.ratio:
            return "the ratio dU_v/dU_s reaches one: the gap cannot close"
        if not self.gap:
            return "the gap is below its limit: the law runs backwards"
        if not self.moving:
            return "a jump opens the gap so wide that the law stands still"
        if not self.solver:
            return "the solver's limit is beyond perfect (no uncertainty, no errors)"
        if not self.verifier:
            return "the verifier goes beyond perfect (no uncertainty, no errors)"
        return None
