"""The outcome of one test: a statistic, its p-value, and what it means."""

import dataclasses
from typing import Any

# A finding is significant if its p-value is below this.
SIGNIFICANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Finding:
    """The outcome of one test.

    - `statistic`: of the test; its name is in `method`.
    - `p_value`: the probability of so large a statistic under the null hypothesis.
    - `method`: the test, in a few words.
    - `says`: what it means for the run if it is significant.
    """

    statistic: float
    p_value: float
    method: str
    says: str

    @property
    def significant(self) -> bool:
        """Whether chance is an unlikely explanation."""
        return self.p_value < SIGNIFICANCE

    @property
    def sentence(self) -> str:
        """What was found, with its evidence."""
        return f"{self.says} ({self.method}: {self.statistic:.3g}, {chance(self.p_value)})"

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        return {
            "statistic": self.statistic,
            "p_value": self.p_value,
            "method": self.method,
            "finding": self.says if self.significant else None,
        }


def chance(p_value: float) -> str:
    """A p-value in words; one that underflows is not given as zero.

    **Example:**

    >>> chance(0.0312), chance(0.0)
    ('p = 0.03', 'p < 1e-300')
    """
    return f"p = {p_value:.1g}" if p_value >= 1e-300 else "p < 1e-300"
