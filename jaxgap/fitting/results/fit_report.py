"""The report of one law's fit: what was found, how certain it is, and the warnings.

:func:`fit_report` is what `print(result.report())` shows and what `jaxgap fit` prints.
"""

from typing import TYPE_CHECKING

from jaxgap.fitting.results.number_words import number
from jaxgap.fitting.results.report_sections import (
    closing_sections,
    estimate_sections,
    extent,
    joined,
    section,
)
from jaxgap.fitting.results.sentences import limit_sentence, r2_sentence, time_left_sentence

if TYPE_CHECKING:
    from jaxgap.fitting.results.result import FitResult

# Correlations weaker than this are left out of the report.
_CORRELATION = 0.9


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
    return joined(
        [f"{result.subject} on {extent(result)}", *statistics, limit_sentence(result)],
        [sentence] if (sentence := time_left_sentence(result)) else [],
        estimate_sections(result),
        section(f"Correlations of {_CORRELATION:g} and more", pairs),
        closing_sections(result),
    )
