"""What one test found: a statistic, how likely it is by chance, and what it means."""

import dataclasses
from typing import Any

# Below this probability of chance a test has found something.
SIGNIFICANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Finding:
    """The outcome of one test.

    - `statistic`: of the test; its name is in `method`.
    - `p_value`: the probability of so large a statistic if what is tested holds.
    - `method`: the test, in a few words.
    - `says`: what it means for the run if it is no chance.
    """

    statistic: float
    p_value: float
    method: str
    says: str

    @property
    def significant(self) -> bool:
        """Whether chance is too unlikely an explanation."""
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
    """A p-value in words; one that is too small for a number is not zero.

    **Example:**

    >>> chance(0.0312), chance(0.0)
    ('p = 0.03', 'p < 1e-300')
    """
    return f"p = {p_value:.1g}" if p_value >= 1e-300 else "p < 1e-300"
