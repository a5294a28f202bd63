"""The parser reads back what a program's text was written from."""

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxgap.planning.hlo import Shape, parse_module

DTYPES = {"f32": 4, "bf16": 2, "s8": 1, "pred": 1, "u64": 8, "f8e4m3fn": 1}
words = st.from_regex(r"[a-z][a-z_.0-9-]{0,8}", fullmatch=True)
shapes = st.builds(
    Shape,
    st.sampled_from([*DTYPES]),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
    st.booleans(),
)


def written(shape):
    sizes = ",".join(map(str, shape.sizes))
    layout = ",".join(map(str, range(len(shape.sizes))[::-1])) + ":S(1)" * (not shape.in_hbm)
    return f"{shape.dtype}[{sizes}]{{{layout}}}"


@given(
    words.filter(lambda name: name != "x"),
    st.lists(shapes, min_size=1, max_size=3),
    st.sampled_from(["fusion", "custom-call", "while"]),
    st.lists(st.just("x") | words, max_size=3),
    st.booleans(),
)
def test_an_instruction_is_what_was_written(name, results, op, operands, is_root):
    shape = written(results[0]) if len(results) == 1 else f"({', '.join(map(written, results))})"
    names = ", ".join(f"%{each}" for each in operands)
    text = (
        "ENTRY %main (x: f32[]) -> f32[] {\n"
        f"  {'ROOT ' * is_root}%{name} = {shape} {op}({names}), calls=%other.1, "
        'dims={0,2}, metadata={op_name="a(b)/calls=c"}\n'
        "}\n\n"
        "%other.1 (y: f32[]) -> f32[] {\n"
        "  ROOT %y = f32[] parameter(0)\n"
        "}\n"
    )
    module = parse_module(text)
    found = module.computations["main"][name]
    assert (module.entry, found.name, found.op, found.is_root) == ("main", name, op, is_root)
    assert (found.shapes, found.operands) == (tuple(results), tuple(operands))
    assert (found.attribute("calls"), found.attribute_list("dims")) == ("other.1", "0,2")
    assert (found.attribute("direction"), found.attribute_list("sizes")) == (None, "")
    expected = 0
    for each in results:
        count = 1
        for size in each.sizes:
            count *= size
        expected += count * DTYPES[each.dtype]
    assert found.num_bytes == expected


def test_the_computations_of_a_compiled_program():
    program = jax.jit(lambda x: jax.lax.fori_loop(0, 3, lambda _, x: jnp.sin(x) @ x, x))
    module = parse_module(program.lower(jnp.ones((4, 4))).compile().as_text())
    assert module.entry in module.computations
    loops = []
    for computation in module.computations.values():
        assert sum(each.is_root for each in computation.values()) == 1
        assert all(set(each.operands) <= set(computation) for each in computation.values())
        loops += [each for each in computation.values() if each.op == "while"]
    (loop,) = loops
    assert {loop.attribute(name) for name in ("body", "condition")} <= set(module.computations)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HloModule jit_f\n", "must be that of a compiled program, got one without an ENTRY"),
        ("ENTRY %m () -> f32[] {\n  %y = f32[] add(%a, %b\n}\n", "unbalanced parentheses in"),
    ],
)
def test_what_is_no_program_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_module(text)
