"""Collapse detection: signs that a run becomes more confident without improving.

Uncertainty falls under any sharpening, right or wrong, so the theory's own measure gives no
warning. These signs do: each compares the current measurements with the first or the best
checkpoint, in units of standard errors (except for response length), and is reported once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxgap.improve.measures.mean_with_error import MeanWithError
from jaxgap.improve.measures.metrics import RoundMetrics, SplitMetrics

# Four standard errors of a difference: about one false alarm in thirty thousand comparisons.
_CLEARLY = 4.0
_HALF = 0.5


def signs_of_collapse(history: Sequence[RoundMetrics]) -> dict[str, str]:
    """The signs that the last checkpoint shows: a sentence for each, by name.

    **Arguments:**

    - `history`: the measurements of every checkpoint so far, including the last.

    >>> signs_of_collapse([])
    {}
    """
    if len(history) < 2:
        return {}
    first, now = history[0].held_out, history[-1].held_out
    best = max((m.held_out for m in history), key=lambda split: split.solver_accuracy.mean)
    found = {
        "accuracy": _accuracy(best, now),
        "judging": _judging(first, now),
        "diversity": _diversity(first, now),
        "length": _length(first, now),
        "fallback": _fallback(first, now),
    }
    return {name: sentence for name, sentence in found.items() if sentence is not None}


def _fell(before: MeanWithError, now: MeanWithError) -> bool:
    """Whether a measurement is clearly lower than before."""
    return before.mean - now.mean > _CLEARLY * math.hypot(before.stderr, now.stderr)


def _accuracy(best: SplitMetrics, now: SplitMetrics) -> str | None:
    if not _fell(best.solver_accuracy, now.solver_accuracy):
        return None
    fell = _fell(best.solver, now.solver)
    confidence = "while confidence rises" if fell else "and confidence has not risen"
    return (
        f"accuracy is past its best: {best.solver_accuracy.mean:.1%}, now "
        f"{now.solver_accuracy.mean:.1%}, {confidence}"
    )


def _judging(first: SplitMetrics, now: SplitMetrics) -> str | None:
    # If all candidates are right, or all wrong, there is nothing to distinguish.
    if not all(0 < split.solver_accuracy.mean < 1 for split in (first, now)):
        return None
    if not _fell(first.judging_auc, now.judging_auc):
        return None
    return (
        "the verifier distinguishes right from wrong less well: "
        f"AUC {first.judging_auc.mean:.2f} at first, now {now.judging_auc.mean:.2f}"
    )


def _diversity(first: SplitMetrics, now: SplitMetrics) -> str | None:
    # Nearly all prompts now have one answer where they had several.
    before, after = first.distinct_answers, now.distinct_answers
    if not _fell(before, after) or after.mean - 1 > 0.1 * (before.mean - 1):
        return None
    # Below one per prompt, some prompts have no candidate with an answer.
    what = "answers are missing" if after.mean < 1 else "candidates hardly differ any more"
    return f"{what}: {before.mean:.1f} distinct answers per prompt at first, now {after.mean:.1f}"


def _length(first: SplitMetrics, now: SplitMetrics) -> str | None:
    if now.truncated.mean > _HALF and _fell(now.truncated, first.truncated):
        return f"{now.truncated.mean:.0%} of the responses are cut at the length limit"
    if now.solver_length.mean < _HALF * first.solver_length.mean:
        return (
            f"responses shrink: {first.solver_length.mean:.1f} tokens at first, now "
            f"{now.solver_length.mean:.1f}"
        )
    return None


def _fallback(first: SplitMetrics, now: SplitMetrics) -> str | None:
    if not (now.fallback.mean > _HALF and _fell(now.fallback, first.fallback)):
        return None
    return f"for {now.fallback.mean:.0%} of the prompts no candidate reaches the threshold"
