"""What runs in the sandbox for MATH: math-verify on one pair of answers.

Requests are `{"equal": [reference, answer]}`, answered by true or false, and `{"canonical":
answer}`, answered by a string, or null if the answer cannot be parsed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_SAMPLES = (
    "12",
    "-3.5",
    "1,000",
    "50\\%",
    "\\frac{1}{2}",
    "\\frac12",
    "3/4",
    "2\\sqrt{3}+\\pi",
    "x^2+2x-1",
    "(1,2)",
    "[0,\\infty)",
    "\\{1,2\\}",
    "(-\\infty,1)\\cup(2,3]",
    "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
    "x=5",
    "x\\le 5",
    "90^\\circ",
    "\\text{east}",
    "\\binom{5}{2}",
    "\\log_2 8",
    "\\sin x",
    "3+2i",
    "10!",
    "|x|",
)


def make_handler() -> Callable[[bytes], bytes]:
    """A handler for these requests."""
    import math_verify

    def parse(answer: str) -> list[Any]:
        # The sandbox bounds the time; math-verify's own timer needs signals that are not allowed.
        return math_verify.parse(f"\\boxed{{{answer}}}", parsing_timeout=None)  # pyright: ignore[reportArgumentType]

    # Warm up the parser: all later sessions are forked from this process.
    for sample in _SAMPLES:
        math_verify.verify(parse(sample), parse(sample), timeout_seconds=None)

    def handle(request: bytes) -> bytes:
        asked = json.loads(request)
        if "canonical" in asked:
            parsed = parse(asked["canonical"])
            return json.dumps(_canonical(parsed[0]) if parsed else None).encode()
        reference, answer = asked["equal"]
        equal = math_verify.verify(parse(reference), parse(answer), timeout_seconds=None)
        return json.dumps(bool(equal)).encode()

    return handle


def _canonical(value: Any) -> str:
    """One text for equal numbers, and SymPy's ordered form of other expressions.

    An equation that assigns a name (x = 5) becomes its value, as in math-verify.
    """
    import sympy

    if isinstance(value, str):
        return value
    if isinstance(value, sympy.Eq) and isinstance(value.lhs, sympy.Symbol):
        value = value.rhs
    if isinstance(value, sympy.Basic):
        # Decimals are kept exact: rounded, 4.99999999 would be 5.
        exact = {number: sympy.Rational(str(number)) for number in value.atoms(sympy.Float)}
        value = value.xreplace(exact)
    if isinstance(value, sympy.Expr) and value.is_number:
        value = sympy.nsimplify(value, rational=value.is_rational is not False)
    # Factored and multiplied out, a polynomial is the same answer.
    is_formula = isinstance(value, sympy.Expr)
    return sympy.sstr(sympy.simplify(sympy.expand(value)) if is_formula else value)
