"""A fit as text for people: what was found, how certain it is, and the warnings.

:func:`fit_report` is what `print(result.report())` shows and what `jaxgap fit` prints.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jaxgap.fitting.diagnosis import Diagnosis
from jaxgap.fitting.diagnosis.beyond import is_beyond
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import NO_VERIFIER, Estimate
from jaxgap.fitting.results.objection import objection

if TYPE_CHECKING:
    from jaxgap.fitting.results.result import FitResult
    from jaxgap.fitting.selection import AveragedResult

# Correlations weaker than this are left out of the report.
_CORRELATION = 0.9
# Beyond these, what tells numbers apart is rounding error.
_MOST_DIGITS = 9


def number(value: float | None, digits: int = 4) -> str:
    """A number with `digits` significant digits; a dash for `None`."""
    # Without the sign of a negative zero.
    return "–" if value is None else f"{value or 0.0:#.{digits}g}".rstrip(".")


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


def r2_sentence(r2: Mapping[str, float | None]) -> str:
    """How much of each series the law explains."""
    parts = [f"{name} {value:.4f}" for name, value in r2.items() if value is not None]
    return "R² " + ", ".join(parts) if parts else "R² does not apply: the series do not vary"


def limit_sentence(result: "FitResult | AveragedResult") -> str:
    """The solver's limit, or why it cannot be given."""
    limit = result.limits["solver"]
    # In an average, laws that did not converge are reported there, and weighted on their merits.
    if result.model != "auto" and not result.converged:
        return f"The solver's limit cannot be given: the fit {result.stopped}."
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


def time_left_sentence(result: "FitResult") -> str | None:
    """When the solver nears its limit under the law; `None` if no limit or no time is given."""
    left = result.time_left()
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


def duration(time: float) -> str:
    """A duration to about two digits, never in scientific notation."""
    return f"{time:.0f}" if time >= 10 or time == 0 else number(time, 2)


def counted(count: float, unit: str) -> str:
    """A number with its unit, which is plural unless the number is one.

    >>> counted(1, "round"), counted(2.5, "epoch")
    ('1 round', '2.5 epochs')
    """
    return f"{count:g} {unit}" if count == 1 else f"{count:g} {unit}s"


def fit_report(result: "FitResult") -> str:
    """The report of one law's fit; lines other than sentences have at most 80 characters."""
    criteria = result.criteria
    agreed = "found this minimum" if result.converged else "got as low"
    statistics = [
        f"{result.stopped[0].upper()}{result.stopped[1:]}; {result.num_agreeing} of "
        f"{result.num_starts} starts {agreed}.",
        r2_sentence(result.r2),
        f"{criteria.num_parameters} free parameters, log-likelihood "
        f"{number(criteria.log_likelihood)}, AICc {number(criteria.finite_aicc)}, BIC "
        f"{number(criteria.bic)}",
    ]
    pairs = [
        f"  {first}, {second}: {value:+.3f}"
        for (first, second), value in result.correlations.items()
        if abs(value) >= _CORRELATION
    ]
    return _joined(
        [f"The {result.model} law on {_extent(result)}", *statistics, limit_sentence(result)],
        [sentence] if (sentence := time_left_sentence(result)) else [],
        _section("Parameters", _estimate_table(result.parameters, result.level)),
        _section("Limits", _estimate_table(result.limits, result.level)),
        _section("Withheld", withheld(result)),
        _section("Shown without a standard error", without_stderr(result)),
        _section(f"Correlations of {_CORRELATION:g} and more", pairs),
        _section("Tests", _test_lines(result.diagnostics, result.diagnosis)),
        ["", *_warning_lines(result)],
    )


def averaged_report(result: "AveragedResult") -> str:
    """The report of an average over laws."""
    rows = [
        (
            name,
            f"{law.weight:.3f}",
            str(law.num_parameters),
            number(law.aicc),
            number(law.one_ahead, 3),
            number(law.to_end, 3),
            interval(law.limits["solver"]) if law.limits else "–",
        )
        for name, law in sorted(result.laws.items(), key=lambda item: -item[1].weight)
    ]
    heading = ("", "weight", "free", "AICc", "next row", "to end", "solver limit")
    return _joined(
        [
            f"An average over {_laws(len(result.laws))} on {_extent(result)}",
            f"{result.stopped[0].upper()}{result.stopped[1:]}.",
            r2_sentence(result.r2),
            limit_sentence(result),
        ],
        _section("Laws, with held-out log scores", _table(heading, rows)),
        _section("Parameters", _estimate_table(result.parameters, result.level)),
        _section("Limits", _estimate_table(result.limits, result.level)),
        _section("Withheld", withheld(result)),
        _section("Shown without a standard error", without_stderr(result)),
        _section("Tests", _test_lines(result.diagnostics, result.diagnosis)),
        ["", *_warning_lines(result)],
    )


def withheld(result: "FitResult | AveragedResult") -> list[str]:
    """Why the data do not determine some numbers, grouped by reason."""
    return _reasons(result, shown=False)


def without_stderr(result: "FitResult | AveragedResult") -> list[str]:
    """Why some reported numbers have no standard error: most of these are on a bound."""
    return _reasons(result, shown=True)


def _reasons(result: "FitResult | AveragedResult", shown: bool) -> list[str]:
    named = dict(result.parameters) | {f"{name} limit": v for name, v in result.limits.items()}
    by_reason: dict[str, list[str]] = {}
    for name, value in named.items():
        if value.reason is None or value.identifiability == "held":
            continue
        if (value.estimate is not None) == shown:
            by_reason.setdefault(value.reason, []).append(name)
    return [f"  {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _laws(count: int) -> str:
    return "one law" if count == 1 else f"{count} laws"


def _extent(result: "FitResult | AveragedResult") -> str:
    alone = result.limits["verifier"].reason == NO_VERIFIER
    series = "solver" if alone else "solver and verifier"
    kinds = {"accuracy": "accuracies", "uncertainty": "uncertainties in nats"}
    return (
        f"{result.num_points} rows of {series} ({kinds[result.kind]}), time in {result.time_unit}s"
    )


def _estimate_table(estimates: Mapping[str, Estimate], level: float) -> list[str]:
    heading = ("", "estimate", "std. error", f"{percent(level)} interval", "identifiable")
    rows = [
        (
            name,
            estimated(value),
            number(value.stderr, 2),
            interval(value),
            identifiable(value),
        )
        for name, value in estimates.items()
    ]
    return _table(heading, rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as needed, the first left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = []
    for first, *others in (heading, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  " + "  ".join([first.ljust(widths[0]), *cells]))
    return lines


def _test_lines(diagnostics: Diagnostics, diagnosis: Diagnosis) -> list[str]:
    """Every test that could be run, with its statistic and p-value."""
    rows = [
        (name.replace("_", " "), found.method, number(found.statistic, 3), f"{found.p_value:.2g}")
        for name, found in diagnosis.findings().items()
    ]
    if diagnostics.autocorrelation_p_value is not None:
        worst = max(v for v in diagnostics.autocorrelation.values() if v is not None)
        p_value = f"{diagnostics.autocorrelation_p_value:.2g}"
        rows.append(("independent errors", "lag-1 autocorrelation", number(worst, 3), p_value))
    if diagnostics.chi_squared_p_value is not None:
        p_value = f"{diagnostics.chi_squared_p_value:.2g}"
        chi_squared = number(diagnostics.reduced_chi_squared, 3)
        rows.append(("errors as given", "reduced chi-squared", chi_squared, p_value))
    if diagnostics.noise_ratio is not None:
        p_value = f"{diagnostics.noise_ratio_p_value:.2g}"
        rows.append(
            ("equal noise scales", "residual ratio", number(diagnostics.noise_ratio, 3), p_value)
        )
    return _table(("", "statistic", "value", "p"), rows) if rows else []


def _warning_lines(result: "FitResult | AveragedResult") -> list[str]:
    return [f"Warning: {warning}" for warning in result.warnings]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, *lines] if lines else []


def _joined(*parts: Sequence[str]) -> str:
    return "\n".join(line.rstrip() for part in parts for line in part)
