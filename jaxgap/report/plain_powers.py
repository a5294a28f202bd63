"""The tick labels of a logarithmic axis as text: Matplotlib writes its powers as formulas."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cbook import strip_math
from matplotlib.ticker import Formatter, LogFormatterMathtext

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write_powers_as_text(ax: Axes) -> None:
    """Label the logarithmic axes among these with text, 2×10⁵, instead of formulas."""
    for axis in (ax.xaxis, ax.yaxis):
        _write_as_text(axis)


def _write_as_text(axis: Axis) -> None:
    major, minor = axis.get_major_formatter(), axis.get_minor_formatter()
    if isinstance(major, LogFormatterMathtext):
        axis.set_major_formatter(_PlainPowers(major))
    if isinstance(minor, LogFormatterMathtext):
        axis.set_minor_formatter(_PlainPowers(minor))


class _PlainPowers(Formatter):
    """The tick labels of a logarithmic axis as text, 10⁵ and 2×10⁵, not as mathtext."""

    def __init__(self, formulas: LogFormatterMathtext):
        self._formulas = formulas

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = strip_math(self._formulas(x, pos)).replace("x", "×")
        number, _, exponent = text.partition("^")
        return number + exponent.translate(_RAISED)

    def set_locs(self, locs: Any) -> None:
        # The range of the axis determines which numbers between the powers are shown.
        self._formulas.set_locs(locs)
