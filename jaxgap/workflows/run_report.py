"""The report of a run: one page on how far it went, how far it can go, and what to doubt."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from jaxgap.atomic_files import write_atomically
from jaxgap.fitting import FitResult
from jaxgap.fitting.results.number_words import estimated, interval, number, percent
from jaxgap.fitting.results.objection import objection
from jaxgap.fitting.results.sentences import limit_sentence, r2_sentence, time_left_sentence
from jaxgap.improve.runs.notes_file import Note, read_notes
from jaxgap.report.accuracies import draw_accuracies, has_accuracies
from jaxgap.report.curves import draw_curves, limits_drawn
from jaxgap.report.forecast import draw_forecast
from jaxgap.report.page import Page
from jaxgap.report.style import has_cut_bars, unit_of
from jaxgap.report.theory import draw_theory
from jaxgap.report.words import (
    accuracy_ends,
    accuracy_sentence,
    estimate_rows,
    forecast_sentence,
    theory_sentence,
)
from jaxgap.run_files import CONFIG_FILE, OWN_PARTS_FILE, RUN_TABLE, VERSIONS_FILE
from jaxgap.trajectory import Trajectory, TrajectoryError, read_csv
from jaxgap.trajectory.outside import parse_json, read_text
from jaxgap.workflows.analysis import Analysis, analyse

REPORT_FILE = "report.html"


def write_report(folder: Path) -> tuple[Path, Analysis]:
    """Fit the run in a RUN folder and write `report.html` beside its measurements.

    **Returns:** the page's path, and the analysis behind it.

    **Raises:** `TrajectoryError` if the folder contains no run, or one too short to fit.
    """
    if folder.is_file():
        raise TrajectoryError(f"{folder} is a file, not a RUN folder; for a file use jaxgap fit")
    if not folder.is_dir():
        raise TrajectoryError(f"{folder}: no such folder; name the RUN of jaxgap improve")
    path = folder / RUN_TABLE
    if not path.exists():
        raise TrajectoryError(
            f"{folder}: has no {RUN_TABLE}; is it a RUN with at least three checkpoints?"
        )
    analysis = analyse(read_csv(path))
    settings = {
        "config": _read_settings(folder / CONFIG_FILE) | _read_settings(folder / OWN_PARTS_FILE),
        "versions": _read_settings(folder / VERSIONS_FILE),
    }
    notes = [_dated(note) for note in read_notes(folder)]
    page = build_page(f"Run {folder.resolve().name}", analysis, settings, notes)
    write_atomically(folder / REPORT_FILE, page.to_html())
    return folder / REPORT_FILE, analysis


def build_page(
    title: str,
    analysis: Analysis,
    settings: Mapping[str, Mapping[str, Any]],
    notes: Sequence[str],
) -> Page:
    """The page of a run.

    **Arguments:**

    - `title`: its heading.
    - `analysis`: of the run.
    - `settings`: tables of names and values, by heading.
    - `notes`: what was unusual while it ran.
    """
    run, result, known = analysis
    page = Page(title, f"{run.num_rows} checkpoints, fitted with the {result.model} law.")
    page.cards(_cards(analysis))
    page.heading("How far it went, and how far it can go")
    for sentence in (
        accuracy_sentence(run),
        limit_sentence(result),
        time_left_sentence(result),
        theory_sentence(result),
    ):
        if sentence:
            page.paragraph(sentence)
    curves = draw_curves(run, result)
    caption = f"{_curves_caption(run, result, curves)} {r2_sentence(result.r2)}."
    page.figure(curves, caption)
    if has_accuracies(run):
        page.heading("Did it become more accurate, or only more confident?")
        page.figure(draw_accuracies(run), _ACCURACIES)
    if known is not None:
        page.heading("What was predictable at the halfway point")
        page.paragraph(forecast_sentence(run, known))
        page.figure(draw_forecast(run, known), _FORECAST)
    if run.verifier is not None:
        page.heading("Does the theory hold?")
        page.figure(draw_theory(run, result), _THEORY)
    page.heading("The fit")
    page.table(
        (
            *("", "estimate", "standard error", f"{percent(result.level)} interval"),
            *("identifiable", "meaning"),
        ),
        estimate_rows(result),
    )
    page.warnings(result.warnings)
    page.heading("The run")
    page.warnings(notes)
    page.folded_table("Every measurement", *_measurements(run))
    for name, values in settings.items():
        page.settings(name.capitalize(), values)
    return page


_ACCURACIES = (
    "Fraction of correct answers according to the exact grader; bands are two standard errors. "
    "Uncertainty falls under any sharpening, so this is the plot to trust."
)
_FORECAST = "Filled: what the fit saw. Open: what happened afterwards."
_THEORY = (
    "Left: the theory's f(G); the paper's linear potential is a straight line. Right: whatever f "
    "is, the theory predicts a straight line of slope beta / alpha."
)


def _curves_caption(run: Trajectory, result: FitResult, curves: Figure) -> str:
    measured = "Measured capabilities on held-out prompts"
    if run.solver_se is not None:
        measured += " with standard errors"
    law = "the fitted law with its band"
    if not limits_drawn(result):
        return f"{measured}, and {law}."
    limits = "the limits (dashed) with their intervals (bars in the right margin)"
    arrow = " Arrow: it goes on beyond the frame, or is open." if has_cut_bars(curves) else ""
    return f"{measured}, {law}, and {limits}.{arrow}"


def _cards(analysis: Analysis) -> list[tuple[str, str]]:
    run, result = analysis.run, analysis.result
    cards = []
    accuracies = accuracy_ends(run)
    if accuracies is not None:
        first, last = accuracies
        cards.append((f"{first:.0%} → {last:.0%}", "accuracy at temperature 1"))
    unit = unit_of(run.kind)
    change = f"{number(run.solver[0], 3)} → {number(run.solver[-1], 3)}"
    cards.append((change, f"solver{unit}, first to last checkpoint"))
    limit, rate, level = result.limits["solver"], result.parameters["rate"], percent(result.level)
    against = "" if objection(result) is None else ", under a law that does not describe this run"
    bounds = f"solver's limit{unit}, {level} interval {interval(limit, 3)}{against}"
    cards.append((estimated(limit, 3), bounds))
    slope = f"rate per {run.time_unit}, {level} interval {interval(rate, 3)}{against}"
    cards.append((estimated(rate, 3), slope))
    return cards


def _dated(note: Note) -> str:
    return note.text if note.t is None else f"{note.text} (round {note.t:g})"


def _measurements(run: Trajectory) -> tuple[list[str], list[list[str]]]:
    columns = {"t" if name == "ts" else name: values for name, values in run.columns().items()}
    rows = zip(*columns.values(), strict=True)
    return list(columns), [[f"{value:.4g}" for value in row] for row in rows]


def _read_settings(path: Path) -> dict[str, Any]:
    """A file of settings; empty if the run was made elsewhere and has none."""
    if not path.exists():
        return {}
    found = parse_json(read_text(path), str(path))
    if not isinstance(found, dict):
        raise TrajectoryError(f"{path}: must be a JSON object, got {json.dumps(found)[:40]}")
    return found
