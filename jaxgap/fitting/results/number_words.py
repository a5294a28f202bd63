"""Numbers in words: estimates and intervals with their digits, levels, durations and counts."""

from jaxgap.fitting.results.estimate import Estimate

# Beyond these, what tells numbers apart is rounding error.
_MOST_DIGITS = 9
_LONGEST_INTEGER = 1e6


def number(value: float | None, digits: int = 4) -> str:
    """A number with `digits` significant digits; a dash for `None`.

    >>> number(0.05, 2), number(99.6, 2), number(12345.6)
    ('0.050', '100', '12346')
    """
    if value is None:
        return "–"
    if 10**digits - 0.5 <= abs(value) < _LONGEST_INTEGER - 0.5:
        return f"{value:.0f}"
    # Without the sign of a negative zero.
    return f"{value or 0.0:#.{digits}g}".rstrip(".")


def percent(level: float) -> str:
    """A level, unrounded: 0.999 is not 100%."""
    return f"{100 * level:.12g}%"


def digits_of(estimate: Estimate, digits: int = 4) -> int:
    """So many digits, or as many more as tell the two ends of the interval apart."""
    low, high = estimate.interval or (None, None)
    if low is None or high is None:
        return digits
    enough = (d for d in range(digits, _MOST_DIGITS) if number(low, d) != number(high, d))
    return next(enough, digits)


def estimated(estimate: Estimate, digits: int = 4) -> str:
    """The estimate with as many digits as :func:`interval` gives the ends of its interval."""
    return number(estimate.estimate, digits_of(estimate, digits))


def interval(estimate: Estimate, digits: int = 4) -> str:
    """An interval as `[low, high]`, with an open end where the data set no bound."""
    if estimate.interval is None:
        return "–"
    low, high = estimate.interval
    digits = digits_of(estimate, digits)
    left = "(open" if low is None else f"[{number(low, digits)}"
    right = "open)" if high is None else f"{number(high, digits)}]"
    return f"{left}, {right}"


def identifiable(estimate: Estimate) -> str:
    """Whether the data determine a number, in a word or two."""
    kind = estimate.identifiability.partition(" ")[0]
    known = {"identifiable": "yes", "refuted": "refuted", "held": "held"}
    return known.get(kind, f"not {kind}")


def duration(time: float) -> str:
    """A duration to about two digits, never in scientific notation."""
    return f"{time:.0f}" if time >= 10 or time == 0 else number(time, 2)


def counted(count: float, unit: str) -> str:
    """A number with its unit, which is plural unless the number is one.

    >>> counted(1, "round"), counted(2.5, "epoch")
    ('1 round', '2.5 epochs')
    """
    return f"{count:g} {unit}" if count == 1 else f"{count:g} {unit}s"
