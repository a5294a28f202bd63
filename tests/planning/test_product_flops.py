"""Operations of products: two for each pair of elements that is multiplied."""

import functools
import math

import jax
import jax.numpy as jnp
import pytest

from jaxgap.planning.hlo import parse_module
from jaxgap.planning.product_flops import product_flops

SIZES = {"b": 3, "i": 5, "j": 7, "k": 11, "l": 2}


@pytest.mark.parametrize("spec", ["ij,jk->ik", "bij,bkj->bik", "bijl,jkl->bik"])
def test_a_dot_multiplies_once_for_each_index_of_its_einsum(spec):
    inputs, _ = spec.split("->")
    arrays = [jnp.zeros([SIZES[axis] for axis in each]) for each in inputs.split(",")]
    program = jax.jit(functools.partial(jnp.einsum, spec)).lower(*arrays).compile()
    module = parse_module(program.as_text())
    found = [
        product_flops(each, computation)
        for computation in module.computations.values()
        for each in computation.values()
    ]
    assert sum(found) == 2 * math.prod(SIZES[axis] for axis in set(inputs) - {","})


def test_a_dot_over_two_axes_multiplies_for_each_pair_of_them():
    # XLA merges two such axes on a CPU, but not everywhere.
    module = parse_module(
        "ENTRY %main (a: f32[], b: f32[]) -> f32[] {\n"
        "  %a = f32[3,5,7] parameter(0)\n"
        "  %b = f32[7,11,3] parameter(1)\n"
        "  ROOT %c = f32[5,11] dot(%a, %b), lhs_contracting_dims={0,2}, "
        "rhs_contracting_dims={2,0}\n"
        "}\n"
    )
    computation = module.computations["main"]
    assert product_flops(computation["c"], computation) == 2 * 5 * 11 * (3 * 7)
    assert product_flops(computation["a"], computation) == 0


@pytest.mark.parametrize(
    ("left", "right", "result", "attributes", "pairs"),
    [
        # As libtpu writes x W over the two axes of a kernel of heads.
        ("bf16[1,16,32,1]", "bf16[24,8,32,1]", "bf16[1,16,24,8]",
         "window={size=1x24 pad=0_0x23_23 rhs_reversal=0x1}, dim_labels=0bf1_1oi0->0b1f",
         16 * 24 * 8 * 32),
        # And as it writes a batch of eight products, the batch a spread window.
        ("f32[8,64,16,1]", "f32[16,8,32,3]", "f32[8,64,32,3]",
         "window={size=8x3 stride=7x1 pad=0_0x2_2 lhs_dilate=8x1 rhs_reversal=0x1}, "
         "dim_labels=0bf1_i0o1->0bf1", 8 * 64 * 32 * 3 * 16),
    ],
)  # fmt: skip
def test_products_written_as_convolutions(left, right, result, attributes, pairs):
    module = parse_module(
        "ENTRY %main (a: f32[], b: f32[]) -> f32[] {\n"
        f"  %a = {left} parameter(0)\n"
        f"  %b = {right} parameter(1)\n"
        f"  ROOT %c = {result} convolution(%a, %b), {attributes}\n"
        "}\n"
    )
    computation = module.computations["main"]
    assert product_flops(computation["c"], computation) == 2 * pairs
