"""Compiling quickly: settings of JAX and Python, and a flag of XLA where it exists."""

import gc
import inspect
import os
from types import SimpleNamespace

import jax
import pytest

from jaxgap.cli import quick_compilation


@pytest.mark.parametrize(
    ("version", "flags"),
    [((0, 10, 2), "--one --xla_cpu_use_fusion_emitters=false"), ((0, 12, 0), "--one")],
)
def test_it_adds_to_the_flags_that_are_there(monkeypatch, version, flags):
    monkeypatch.setenv("XLA_FLAGS", "--one")
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")
    monkeypatch.setattr(jax, "__version_info__", version)
    settings, thresholds = {}, []
    monkeypatch.setattr(gc, "set_threshold", lambda *each: thresholds.append(each))
    monkeypatch.setattr(jax, "config", SimpleNamespace(update=settings.__setitem__))
    for _ in range(2):
        inspect.unwrap(quick_compilation.compile_quickly)()  # --slow sets it aside
    assert settings == {"jax_disable_most_optimizations": True}
    assert os.environ["XLA_FLAGS"] == flags
    assert os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1"
    assert {most_new for most_new, *_ in thresholds} == {100_000}
