"""Powers on a logarithmic axis, as people write them."""

import re

import pytest

from jaxgap.report.style import new_figure, to_svg


def texts(figure):
    """The words and numbers in a figure."""
    return re.findall(r">([^<>]+)</text>", to_svg(figure))


@pytest.mark.parametrize(
    ("base", "limits", "shown"),
    [
        (10, (1e11, 1e15), "10¹²"),
        (10, (1.1e14, 3.5e14), "2×10¹⁴"),
        (10, (1e-7, 1e-2), "10⁻⁵"),
        (2, (0.1, 16), "2⁻²"),
    ],
)
def test_powers_on_a_logarithmic_axis_are_text(base, limits, shown):
    with new_figure(6, 4) as figure:
        ax = figure.add_subplot()
        ax.plot(limits, limits)
        ax.set_xscale("log", base=base)
        ax.set_yscale("log", base=base)
    assert texts(figure).count(shown) == 2
    assert not [text for text in texts(figure) if "$" in text]
