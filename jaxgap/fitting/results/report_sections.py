"""The parts of a report as lines of text: tables, reasons, tests and warnings."""

from collections.abc import Mapping, Sequence

from jaxgap.fitting.diagnosis import Diagnosis
from jaxgap.fitting.results.abstract_result import AbstractResult
from jaxgap.fitting.results.diagnostics import Diagnostics
from jaxgap.fitting.results.estimate import Estimate
from jaxgap.fitting.results.number_words import estimated, identifiable, interval, number, percent


def extent(result: AbstractResult) -> str:
    """What was fitted: how many rows of which series, and in which units."""
    series = "solver and verifier" if result.has_verifier else "solver"
    kinds = {"accuracy": "accuracies", "uncertainty": "uncertainties in nats"}
    return (
        f"{result.num_points} rows of {series} ({kinds[result.kind]}), time in {result.time_unit}s"
    )


def estimate_sections(result: AbstractResult) -> list[str]:
    """The parameters and limits, and why any part of them is missing."""
    return [
        *section("Parameters", _estimate_table(result.parameters, result.level)),
        *section("Limits", _estimate_table(result.limits, result.level)),
        *section("Withheld", withheld(result)),
        *section("Shown without a standard error", without_stderr(result)),
    ]


def closing_sections(result: AbstractResult) -> list[str]:
    """The tests and the warnings."""
    tests = section("Tests", _test_lines(result.diagnostics, result.diagnosis))
    return [*tests, "", *(f"Warning: {warning}" for warning in result.warnings)]


def withheld(result: AbstractResult) -> list[str]:
    """Why the data do not determine some numbers, grouped by reason."""
    return _reasons(result, shown=False)


def without_stderr(result: AbstractResult) -> list[str]:
    """Why some reported numbers have no standard error: most of these are on a bound."""
    return _reasons(result, shown=True)


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as needed, the first left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    lines = []
    for first, *others in (heading, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  " + "  ".join([first.ljust(widths[0]), *cells]))
    return lines


def section(title: str, lines: Sequence[str]) -> list[str]:
    """Lines below a title; nothing without lines."""
    return ["", title, *lines] if lines else []


def joined(*parts: Sequence[str]) -> str:
    """The lines of all parts as one text."""
    return "\n".join(line.rstrip() for part in parts for line in part)


def _reasons(result: AbstractResult, shown: bool) -> list[str]:
    named = dict(result.parameters) | {f"{name} limit": v for name, v in result.limits.items()}
    by_reason: dict[str, list[str]] = {}
    for name, value in named.items():
        if value.reason is None or value.identifiability == "held":
            continue
        if (value.estimate is not None) == shown:
            by_reason.setdefault(value.reason, []).append(name)
    return [f"  {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


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
    return table(heading, rows)


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
    if diagnostics.growth is not None:
        p_value = f"{diagnostics.growth_p_value:.2g}"
        rows.append(("errors of one size", "score", number(diagnostics.growth, 3), p_value))
    return table(("", "statistic", "value", "p"), rows) if rows else []
