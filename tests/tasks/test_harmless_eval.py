"""What other libraries may evaluate of a model's answer."""

import builtins
import sys
import types

import pytest

from jaxgap.tasks.harmless_eval import evaluate_harmless, forbid_exec, restrict_eval


class Function:
    """Stands for SymPy's base of functions."""


class Negative(Function, int):
    def __new__(cls, value):
        return super().__new__(cls, -value)


def evaluate(source, *names):
    return evaluate_harmless(source, *(names or [{}]), functions=Function)


def test_what_may_be_evaluated():
    assert evaluate("[1, 'a', (2, {3: 4})]") == [1, "a", (2, {3: 4})]
    assert evaluate(" max(1, -2) ") == 1
    assert evaluate(compile("x + 1", "", "eval"), {"x": 2}) == 3
    assert evaluate("neg(y)", {"neg": Negative}, {"y": 2}) == -2
    assert evaluate("sqrt(4)", {"sqrt": lambda x: x**0.5}) == 2
    for source in (
        "().__class__",
        "__import__('os')",
        "getattr(1, 'real')",
        "open('x')",
        "[eval('1') for _ in [1]]",
        "(lambda: ''.join([]))()",
    ):
        with pytest.raises(ValueError, match="may not be used here"):
            evaluate(source)


@pytest.mark.parametrize("source", ["run('1')", "[run for _ in [1]][0]('1')", "(f := run)('1')"])
@pytest.mark.parametrize("value", [lambda text: text, bytes, type, Function])
def test_what_no_formula_needs_is_refused(source, value):
    for names in [({"run": value}, None), ({"run": Negative}, {"run": value})]:
        with pytest.raises(ValueError, match="run may not be used here"):
            evaluate(source, *names)


def test_only_the_packages_named_are_restricted(monkeypatch):
    monkeypatch.setattr(builtins, "eval", eval)
    restrict_eval(["answers"], Function)
    call = compile("eval('().__class__')", "<caller>", "exec")
    exec(call, {"__name__": "others"})
    with pytest.raises(ValueError, match="may not be used here"):
        exec(call, {"__name__": "answers.inner"})
    names = {"__name__": "answers", "x": 2}
    exec("y = eval('x + 1')", names)
    assert names["y"] == 3


def test_a_module_that_executes_what_it_writes_is_kept_from_it(monkeypatch):
    names = ["writes", "others"]
    for name in names:
        module = types.ModuleType(name)
        exec("def run(text): exec(text)", vars(module))
        monkeypatch.setitem(sys.modules, name, module)
    forbid_exec(["writes"])
    sys.modules["others"].run("1 + 1")
    with pytest.raises(ValueError, match="nothing may be executed here"):
        sys.modules["writes"].run("1 + 1")
