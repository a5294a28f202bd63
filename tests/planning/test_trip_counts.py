"""Trip counts as they are read from compiled loops."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxgap.planning.hlo import parse_module
from jaxgap.planning.trip_counts import known_trip_count

X = jnp.ones((3, 3))


def trip_counts(module):
    """Those of all loops, in the order of the text."""
    return [
        known_trip_count(module, each, computation)
        for computation in module.computations.values()
        for each in computation.values()
        if each.op == "while"
    ]


def of_program(function, *arguments):
    return trip_counts(parse_module(jax.jit(function).lower(*arguments).compile().as_text()))


@pytest.mark.parametrize(("first", "end"), [(0, 5), (3, 17)])
def test_a_loop_between_constants_is_known(first, end):
    assert of_program(lambda x: lax.fori_loop(first, end, lambda i, x: x @ x + i, x), X) == [
        end - first
    ]


def test_loops_within_loops_are_known():
    def inner(x, _):
        return lax.fori_loop(0, 4, lambda _, x: jnp.tanh(x @ x), x), None

    assert sorted(of_program(lambda x: lax.scan(inner, x, None, 6)[0], X)) == [4, 6]


def test_a_loop_that_depends_on_data_is_unknown():
    assert of_program(lambda x, n: lax.fori_loop(0, n, lambda _, x: x @ x, x), X, 3) == [None]
    grow = lambda x: lax.while_loop(lambda x: x.sum() < 9, lambda x: x @ x + 1, x)  # noqa: E731
    assert of_program(grow, X) == [None]


def test_a_loop_of_merged_turns_counts_by_its_step():
    # libtpu merges two turns of the loops in which products and exchanges overlap.
    module = parse_module("""
%body (p: (u32[], f32[4,4])) -> (u32[], f32[4,4]) {
  %p = (u32[], f32[4,4]) parameter(0)
  %i = u32[] get-tuple-element(%p), index=0
  %x = f32[4,4] get-tuple-element(%p), index=1
  %two = u32[] constant(2)
  %next = u32[] add(%i, %two)
  %y = f32[4,4] dot(%x, %x), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %t = (u32[], f32[4,4]) tuple(%next, %y)
}

%condition (q: (u32[], f32[4,4])) -> pred[] {
  %q = (u32[], f32[4,4]) parameter(0)
  %j = u32[] get-tuple-element(%q), index=0
  %bound = u32[] constant(9)
  ROOT %less = pred[] compare(%j, %bound), direction=LT
}

ENTRY %main (x: f32[4,4]) -> f32[4,4] {
  %x = f32[4,4] parameter(0)
  %one = u32[] constant(1)
  %start = (u32[], f32[4,4]) tuple(%one, %x)
  %loop = (u32[], f32[4,4]) while(%start), condition=%condition, body=%body
  ROOT %out = f32[4,4] get-tuple-element(%loop), index=1
}
""")
    assert trip_counts(module) == [4]  # at 1, 3, 5 and 7
