"""Floating-point operations of matrix products: two for each multiplied pair of elements."""

from __future__ import annotations

import math
import re

import numpy as np

from jaxgap.planning.hlo import HloComputation, HloInstruction, Shape


def product_flops(instruction: HloInstruction, computation: HloComputation) -> int:
    """Operations of a `dot` or `convolution`, 0 for anything else.

    **Arguments:**

    - `instruction`: any instruction.
    - `computation`: the computation with it and its operands.
    """
    if instruction.op not in ("dot", "convolution"):
        return 0
    left, right = (computation[name].shapes[0] for name in instruction.operands[:2])
    result = instruction.shapes[0]
    if instruction.op == "dot":
        summed = _integers(instruction.attribute_list("lhs_contracting_dims"))
        return 2 * math.prod(result.sizes) * math.prod(left.sizes[axis] for axis in summed)
    return _convolution_flops(instruction, left, right, result)


def _convolution_flops(
    instruction: HloInstruction, left: Shape, right: Shape, result: Shape
) -> int:
    """Operations of a convolution, not counting padding and dilation gaps.

    TPU programs express every matrix product as a convolution, and a batched product as one whose
    window slides over a padded or dilated axis, so that most of the window meets no elements.
    """
    labels = instruction.attribute("dim_labels")
    assert labels is not None
    of_left, of_right, of_result = re.split(r"_|->", labels)
    window = _window(instruction.attributes)
    pairs = 1
    for axis in filter(str.isdigit, of_result):
        number = int(axis)
        pairs *= _meetings(
            left.sizes[of_left.index(axis)],
            right.sizes[of_right.index(axis)],
            result.sizes[of_result.index(axis)],
            {name: values[number] for name, values in window.items()},
        )
    groups = int(instruction.attribute("batch_group_count") or 1)
    features_in = right.sizes[of_right.index("i")]
    features_out = result.sizes[of_result.index("f")]
    batch = result.sizes[of_result.index("b")]
    return 2 * pairs * features_in * features_out * batch // groups


def _meetings(left: int, right: int, result: int, window: dict[str, int]) -> int:
    """How many pairs (result position, window position) meet an element of the left operand."""
    spread = window.get("lhs_dilate", 1)
    places = (
        np.arange(result)[:, None] * window.get("stride", 1)
        + np.arange(right)[None] * window.get("rhs_dilate", 1)
        - window.get("pad", 0)
    )
    inside = (places >= 0) & (places <= (left - 1) * spread) & (places % spread == 0)
    return int(inside.sum())


def _window(attributes: str) -> dict[str, list[int]]:
    """The values in `window={...}` by axis; of the padding, only the low side."""
    found = re.search(r"window=\{([^}]*)\}", attributes)
    fields = (entry.split("=") for entry in (found.group(1) if found else "").split())
    return {name: [int(part.split("_")[0]) for part in value.split("x")] for name, value in fields}


def _integers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]
