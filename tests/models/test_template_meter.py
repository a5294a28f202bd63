"""The budgets of a rendering: all that is spent adds up, and no more than each is spent."""

import pytest
from jinja2.exceptions import SecurityError

from jaxgap.models.template_meter import MAX_MADE, MAX_TURNS, Spent
from jaxgap.models.template_sizes import MAX_CHARS


@pytest.mark.parametrize(
    ("budget", "most", "refusal"),
    [
        ("turns", MAX_TURNS, "it runs too long"),
        ("written", MAX_CHARS, "it writes too much"),
        ("made", MAX_MADE, "it makes too many values"),
    ],
)
def test_a_budget_can_be_spent_to_its_end(budget, most, refusal):
    spent = Spent()
    for part in (most // 2, most - most // 2, 0):
        spent.add(**{budget: part})
    with pytest.raises(SecurityError, match=refusal):
        spent.add(**{budget: 1})


def test_the_clock_is_a_budget_too():
    with pytest.raises(SecurityError, match="it runs too long"):
        Spent(deadline=0.0).add()
