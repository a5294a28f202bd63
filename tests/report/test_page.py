"""The page: one file, nothing fetched, nothing foreign executed."""

import re

import numpy as np

from jaxgap.fitting import LinearLaw, fit
from jaxgap.report.accuracies import draw_accuracies
from jaxgap.report.curves import draw_curves
from jaxgap.report.page import Page
from jaxgap.report.style import described, to_svg
from jaxgap.trajectory import Trajectory


def accuracies():
    measured = {"solver_accuracy": [0.4, 0.5, 0.6], "solver_accuracy_se": [0.01, 0.01, 0.01]}
    return draw_accuracies(Trajectory([0, 1, 2], [3.0, 2.0, 1.0], extra=measured))


def test_the_page_fetches_nothing_and_runs_nothing():
    page = Page("A run", "lead")
    page.figure(accuracies(), "accuracies")
    page.table(("name", "value"), [("a", "1")])
    text = page.to_html()
    assert not re.search(r"<script|<link|<iframe|@import|src=|url\((?!#)", text)
    # Namespaces of SVG are names, not addresses to fetch from; links point inside the page.
    links = re.findall(r'href="([^"]*)"', text)
    assert links
    assert all(link.startswith("#") for link in links)


def test_foreign_text_is_escaped_everywhere():
    evil = "<script>alert(1)</script>\"'"
    page = Page(evil, evil)
    page.heading(evil)
    page.paragraph(evil)
    page.cards([(evil, evil)])
    page.warnings([evil])
    page.figure(accuracies(), evil)
    page.table((evil,), [(evil,)])
    page.folded_table(evil, (evil,), [(evil,)])
    page.settings(evil, {evil: evil})
    assert "<script" not in page.to_html()


def test_the_same_figure_gives_the_same_bytes():
    assert to_svg(accuracies()) == to_svg(accuracies())


def test_a_figure_is_described_by_what_it_shows_not_by_its_caption():
    page = Page("A run", "lead")
    page.figure(accuracies(), "The plot to trust.")
    text = page.to_html()
    assert text.count("The plot to trust.") == 1
    (label,) = re.findall('aria-label="(.*?)"', text)
    assert label == (
        "Accuracy on held-out prompts: fraction correct against time (epochs) (sampled answers)"
    )


def test_the_panels_of_a_fit_are_described_with_the_times_that_they_share():
    run = Trajectory(np.arange(4.0), [3.0, 2.0, 1.5, 1.3], [2.0, 1.5, 1.3, 1.2])
    label = described(draw_curves(run, fit(LinearLaw(), run)))
    upper, lower = label.split("; gap")
    assert "uncertainty (nats) against time (epochs) (solver, verifier)" in upper
    assert lower.startswith(" (nats) against time (epochs)")
    assert "\n" not in label


def test_a_browser_in_dark_mode_is_asked_to_leave_the_colours_alone():
    assert "color-scheme: only light" in Page("A run", "lead").to_html()


def test_a_figure_in_a_narrow_window_scrolls_like_a_table():
    page = Page("A run", "lead")
    page.figure(accuracies(), "caption")
    text = page.to_html()
    assert '<figure><div class="scroll"><svg' in text
    assert "min-width: 36rem" in text


def test_the_words_of_a_table_have_room_in_a_narrow_window():
    assert ".words td:last-child { min-width: 16rem; }" in Page("A run", "lead").to_html()
