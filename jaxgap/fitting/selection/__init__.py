"""Choosing among laws: how well each describes a run, and an average weighted by that.

:func:`fit_auto` fits every candidate, refits each on growing prefixes to score the held-out rows,
weights the laws, and averages their limits and curves, with intervals that include the uncertainty
about which law is true.
"""

from jaxgap.fitting.selection.auto import CANDIDATES, fit_auto, fit_auto_many
from jaxgap.fitting.selection.averaged import AveragedResult, LawSummary
from jaxgap.fitting.selection.confidence import ConfidenceCurve, average
from jaxgap.fitting.selection.weights import law_weights

__all__ = [
    "CANDIDATES",
    "AveragedResult",
    "ConfidenceCurve",
    "LawSummary",
    "average",
    "fit_auto",
    "fit_auto_many",
    "law_weights",
]
