"""What a fit found, in sentences: how well it fits, where the solver ends, and when."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jaxgap.fitting.diagnosis.beyond import is_beyond
from jaxgap.fitting.results.abstract_result import AbstractResult
from jaxgap.fitting.results.number_words import duration, estimated, interval, number, percent
from jaxgap.fitting.results.objection import objection

if TYPE_CHECKING:
    from jaxgap.fitting.results.result import FitResult


def r2_sentence(r2: Mapping[str, float | None]) -> str:
    """How much of each series the law explains."""
    parts = [f"{name} {value:.4f}" for name, value in r2.items() if value is not None]
    return "R² " + ", ".join(parts) if parts else "R² does not apply: the series do not vary"


def limit_sentence(result: AbstractResult) -> str:
    """The solver's limit, or why it cannot be given."""
    limit = result.limits["solver"]
    if result.failure is not None:
        return f"The solver's limit cannot be given: the fit {result.failure}."
    if limit.identifiability == "refuted":
        return f"The solver's limit cannot be given: {limit.reason}."
    if limit.estimate is None:
        return f"The data do not determine the solver's limit: {limit.reason}."
    doubt = "" if limit.reason is None else f": {limit.reason}"
    # The first sentence must not sound more certain than the tests further down.
    if objection(result) is not None:
        doubt += ", under a law that does not describe this run"
    return (
        f"The solver's limit is {estimated(limit)}, "
        f"{percent(result.level)} interval {interval(limit)}{doubt}."
    )


def time_left_sentence(result: "FitResult", epsilon: float | None = None) -> str | None:
    """When the solver nears its limit under the law; `None` if no limit or no time is given.

    `epsilon` is as for :meth:`jaxgap.fitting.FitResult.time_left`.
    """
    left = result.time_left(epsilon)
    near = number(left.epsilon, 2)
    if left.estimate is None:
        if result.limits["solver"].estimate is None or left.reason is None:
            return None
        return (
            f"When the solver will be within {near} of its limit cannot be determined: "
            f"{left.reason}."
        )
    if left.estimate == 0 and (off := _where_off(result, left.epsilon)) is not None:
        return (
            f"Under this law the solver should be within {near} of its limit, but at the last row "
            f"it {off}."
        )
    if left.interval[1] == 0:
        return f"Under this law the solver is already within {near} of its limit."
    low, high = (duration(end) for end in left.interval if end is not None)
    if left.estimate == 0:
        return (
            f"Under this law the solver is already within {near} of its limit, or will be in at "
            f"most {high} {result.time_unit}s (upper end of the {percent(result.level)} interval)."
        )
    return (
        f"Under this law the solver comes within {near} of its limit in {duration(left.estimate)} "
        f"{result.time_unit}s, {percent(result.level)} interval [{low}, {high}]."
    )


def _where_off(result: "FitResult", epsilon: float) -> str | None:
    """The level of the last rows, if it is further from the solver's limit than chance allows."""
    level, limit = result.last_level, result.limits["solver"].estimate
    if level is None or limit is None:
        return None
    near = limit - epsilon, limit + epsilon
    if not any(is_beyond(level, near, from_above) for from_above in (False, True)):
        return None
    return f"stands at {number(level.value)} ± {number(level.stderr, 2)}"
