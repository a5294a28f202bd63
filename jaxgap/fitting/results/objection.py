"""The objection to a fitted law, if there is one: then none of its numbers should be trusted."""

from collections.abc import Mapping

from jaxgap.fitting.results.abstract_result import AbstractResult
from jaxgap.fitting.results.estimate import Estimate

TOO_FAST = "the verifier moves as fast as the solver or faster, which the law cannot describe"
"""How a remark ends where the data put the ratio on its upper bound."""

# A law with a lower R^2 than this for a curve is in doubt.
_DESCRIBES = 0.5


def objection(result: AbstractResult) -> str | None:
    """Why the law's results for this run should not be trusted; `None` without an objection."""
    law = result.subject
    if result.failure is not None:
        return f"{law} could not be fitted: {result.failure}."
    verdict = result.diagnosis.verdict
    if verdict is not None:
        return f"{verdict[0].upper()}{verdict[1:]}."
    refuted = refutations(result.limits)
    if refuted:
        return f"{law} does not describe this run: {'; '.join(refuted)}."
    missed = series_missed(result)
    # A series that hardly moves compared with its noise has a low R² even under the true law.
    if not missed or not doubts_about(result):
        return None
    return f"{law} does not describe this run (R² {missed}): do not trust the limit that it gives."


def refutations(limits: Mapping[str, Estimate]) -> list[str]:
    """Which limits the run is already beyond, in words."""
    refuted = [each for each in limits.values() if each.identifiability == "refuted"]
    return [each.reason for each in refuted if each.reason is not None]


def doubts_about(result: AbstractResult) -> list[str]:
    """What speaks against the law: tests of the residuals and of the run, and a ratio too large.

    With the ratio held below one, a faster verifier passes for a lower limit of the solver.
    """
    too_fast = [remark for remark in result.remarks if remark.endswith(TOO_FAST)]
    return [*too_fast, *result.diagnostics.doubts(), *result.diagnosis.warnings()]


def series_missed(result: AbstractResult) -> str:
    """The series of which the law explains little, with their R²; empty if there are none."""
    curves = {name: result.r2[name] for name in ("solver", "verifier")}
    return ", ".join(
        f"{name} {r2:.2f}" for name, r2 in curves.items() if r2 is not None and r2 < _DESCRIBES
    )
