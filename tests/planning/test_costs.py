"""Programs are counted as XLA counts them where nothing loops, and loops by their trip counts."""

import jax
import jax.numpy as jnp
import pytest

from jaxgap.planning.costs import count_costs
from jaxgap.planning.hlo import parse_module

WIDTH = 48
MATRIX = jax.ShapeDtypeStruct((WIDTH, WIDTH), jnp.float32)
PRODUCT = 2 * WIDTH**3


def costs(function, *arguments, max_trip_counts=()):
    compiled = jax.jit(function).lower(*arguments).compile()
    return count_costs(parse_module(compiled.as_text()), max_trip_counts), compiled


def test_a_scan_counts_as_often_as_it_turns():
    def scanned(x, matrices):
        return jax.lax.scan(lambda x, matrix: (jnp.tanh(x @ matrix), None), x, matrices)[0]

    def unrolled(x, matrices):
        for matrix in matrices:
            x = jnp.tanh(x @ matrix)
        return x

    matrices = jax.ShapeDtypeStruct((7, WIDTH, WIDTH), jnp.float32)
    ours, _ = costs(scanned, MATRIX, matrices)
    plain, compiled = costs(unrolled, MATRIX, matrices)
    assert ours.flops == plain.flops == 7 * PRODUCT
    # XLA's count has the element-wise operations in it, too.
    assert compiled.cost_analysis()["flops"] == pytest.approx(plain.flops, rel=0.01)
    # The stacked matrices are read once in all, not once a turn; the carried array twice a turn.
    assert 3 * 7 * 4 * WIDTH**2 <= ours.hbm_bytes <= 8 * 7 * 4 * WIDTH**2


def test_a_loop_that_depends_on_data_counts_as_often_as_it_may_turn():
    def nested(x, number):
        def inner(x):
            return jax.lax.fori_loop(0, number, lambda _, x: x @ x, x)

        return jax.lax.fori_loop(0, number, lambda _, x: inner(x) @ x, x)

    number = jax.ShapeDtypeStruct((), jnp.int32)
    assert costs(nested, MATRIX, number)[0].flops == 2 * PRODUCT
    assert costs(nested, MATRIX, number, max_trip_counts=(5, 3))[0].flops == 5 * (3 + 1) * PRODUCT


def test_the_costliest_branch_counts():
    def either(x, flag):
        return jax.lax.cond(flag, lambda x: x @ x @ x, lambda x: x + 1, x)

    flag = jax.ShapeDtypeStruct((), bool)
    assert costs(either, MATRIX, flag)[0].flops == 2 * PRODUCT


def test_what_is_not_moved_is_not_traffic():
    """A fusion that updates a buffer in place, and hands on the arrays of a running exchange."""
    module = parse_module("""
%fused (buffer: f32[64,128], new: f32[1,128], at: s32[], part: f32[8,8], whole: f32[32,8]) -> () {
  %buffer = f32[64,128] parameter(0)
  %new = f32[1,128] parameter(1)
  %at = s32[] parameter(2)
  %part = f32[8,8] parameter(3)
  %whole = f32[32,8] parameter(4)
  %put = f32[64,128] dynamic-update-slice(%buffer, %new, %at, %at)
  %more = f32[32,8] all-gather(%part), channel_id=7, dimensions={0}
  %sum = f32[1,128] add(%new, %new)
  ROOT %all = (f32[64,128], f32[1,128], f32[8,8], f32[32,8], f32[32,8]) tuple(%put, %sum, %part, \
%whole, %more)
}

ENTRY %main (buffer: f32[64,128], new: f32[1,128], part: f32[8,8], whole: f32[32,8]) -> () {
  %buffer = f32[64,128] parameter(0)
  %new = f32[1,128] parameter(1)
  %part = f32[8,8] parameter(2)
  %whole = f32[32,8] parameter(3)
  %at = s32[] constant(5)
  ROOT %out = (f32[64,128], f32[1,128], f32[8,8], f32[32,8], f32[32,8]) fusion(%buffer, %new, \
%at, %part, %whole), kind=kOutput, calls=%fused
}
""")
    row = 4 * 128
    # The new row and the scalar are read; the row is written into the buffer, and its double.
    assert count_costs(module).hbm_bytes == row + 4 + row + row


def test_a_buffer_carried_through_a_loop_is_updated_in_place():
    def fill(buffer, rows):
        def put(i, buffer):
            return jax.lax.dynamic_update_slice(buffer, rows[i][None] * 2, (i, 0))

        return jax.lax.fori_loop(0, 64, put, buffer)

    buffer = jax.ShapeDtypeStruct((4096, WIDTH), jnp.float32)
    rows = jax.ShapeDtypeStruct((64, WIDTH), jnp.float32)
    ours, _ = costs(fill, buffer, rows)
    # Each row is read and written; of the buffer no more than a copy or two is made, not 64.
    assert 2 * 64 * 4 * WIDTH <= ours.hbm_bytes <= 5 * 4 * 4096 * WIDTH


def test_what_goes_on_in_the_background_counts_where_it_begins():
    module = parse_module("""
ENTRY %main (x: f32[64,128]) -> f32[8,128] {
  %x = f32[64,128] parameter(0)
  %zero = s32[] constant(0)
  %slice = ((f32[64,128]), f32[8,128]{1,0:S(1)}, s32[]) slice-start(%x), slice={[0:8], [0:128]}
  %taken = f32[8,128]{1,0:S(1)} slice-done(%slice)
  %copy = (f32[64,128]{1,0:S(1)}, f32[64,128], u32[]) copy-start(%x)
  %near = f32[64,128]{1,0:S(1)} copy-done(%copy)
  %plain = f32[8,128] dynamic-slice(%x, %zero, %zero), dynamic_slice_sizes={8,128}
  ROOT %out = f32[8,128] add(%taken, %plain)
}
""")
    row = 4 * 128
    # Read: a slice, the whole, a slice, and what is added of it; written: a slice, and the sum.
    assert count_costs(module).hbm_bytes == (8 + 64 + 8 + 8 + 8 + 8) * row
