"""Conversion between a trajectory's own terms and those of the equations.

In the equations lower is more capable, so that an accuracy $a$ enters them as the error rate
$1 - a$. That map is its own inverse, so the functions here convert both ways.
"""

from typing import Any


def own_terms(value: Any, mirrored: bool) -> Any:
    """One minus a number or array if it is `mirrored`, else the value itself.

    **Example:**

    >>> own_terms(0.25, mirrored=True), own_terms(0.25, mirrored=False)
    (0.75, 0.25)
    """
    return 1.0 - value if mirrored else value


def own_interval(low: Any, high: Any, mirrored: bool) -> tuple[Any, Any]:
    """Both ends of an interval, which swap if it is `mirrored`.

    **Example:**

    >>> own_interval(0.25, 1.0, mirrored=True)
    (0.0, 0.75)
    """
    return (1.0 - high, 1.0 - low) if mirrored else (low, high)
