"""The page: one file, nothing fetched, nothing foreign executed."""

import re

from jaxgap.report.accuracies import draw_accuracies
from jaxgap.report.page import Page
from jaxgap.report.style import to_svg
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


def test_the_words_of_a_table_have_room_in_a_narrow_window():
    assert ".words td:last-child { min-width: 16rem; }" in Page("A run", "lead").to_html()
