"""What other libraries may evaluate of a model's answer."""

import builtins

import pytest

from jaxgap.tasks.harmless_eval import evaluate_harmless, restrict_eval


def test_what_may_be_evaluated():
    assert evaluate_harmless("[1, 'a', (2, {3: 4})]", {}) == [1, "a", (2, {3: 4})]
    assert evaluate_harmless(" max(1, -2) ", {}) == 1
    assert evaluate_harmless(compile("x + 1", "", "eval"), {"x": 2}) == 3
    for source in (
        "().__class__",
        "__import__('os')",
        "getattr(1, 'real')",
        "open('x')",
        "lambdify(x, '1')",
        "[eval('1') for _ in [1]]",
        "(lambda: ''.join([]))()",
    ):
        with pytest.raises(ValueError, match="may not be used here"):
            evaluate_harmless(source, {})


def test_only_the_packages_named_are_restricted(monkeypatch):
    monkeypatch.setattr(builtins, "eval", eval)
    restrict_eval(["answers"])
    call = compile("eval('().__class__')", "<caller>", "exec")
    exec(call, {"__name__": "others"})
    with pytest.raises(ValueError, match="may not be used here"):
        exec(call, {"__name__": "answers.inner"})
    names = {"__name__": "answers", "x": 2}
    exec("y = eval('x + 1')", names)
    assert names["y"] == 3
