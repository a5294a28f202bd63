"""The report of an average over laws: their weights, what was found, and the warnings."""

from typing import TYPE_CHECKING

from jaxgap.fitting.results.number_words import interval, number
from jaxgap.fitting.results.report_sections import (
    closing_sections,
    estimate_sections,
    extent,
    joined,
    section,
    table,
)
from jaxgap.fitting.results.sentences import limit_sentence, r2_sentence

if TYPE_CHECKING:
    from jaxgap.fitting.selection.averaged import AveragedResult


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
    return joined(
        [
            f"An average over {_laws(len(result.laws))} on {extent(result)}",
            f"{result.stopped[0].upper()}{result.stopped[1:]}.",
            r2_sentence(result.r2),
            limit_sentence(result),
        ],
        section("Laws, with held-out log scores", table(heading, rows)),
        estimate_sections(result),
        closing_sections(result),
    )


def _laws(count: int) -> str:
    return "one law" if count == 1 else f"{count} laws"
