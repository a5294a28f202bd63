"""The law of one's own in the documentation, with the fit that is too slow for its other tests."""

import doctest
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "dynamics.md"


@pytest.mark.slow
def test_the_documented_law_is_fitted_as_documented():
    text = PAGE.read_text(encoding="utf-8").split("\n## Rounds and time")[0]
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    skipped = [example for example in page.examples if example.options.pop(doctest.SKIP, False)]
    assert len(skipped) == 2
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page).failed == 0
