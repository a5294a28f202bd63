"""What is written down of what a run ran on."""

import importlib.metadata
import subprocess

import pytest

import jaxgap
from jaxgap.improve.runs import versions as module

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b")


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of a package of this name, taken for this one."""
    (tmp_path / "jaxgap").mkdir()
    (tmp_path / "jaxgap" / "__init__.py").write_text("")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "all")):
        subprocess.run([*GIT, *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(jaxgap, "__file__", str(tmp_path / "jaxgap" / "__init__.py"))
    module._git_commit.cache_clear()
    yield tmp_path
    module._git_commit.cache_clear()


@pytest.mark.parametrize(
    ("changed", "ending"),
    [("notes.txt", ""), ("jaxgap/__init__.py", "-dirty"), ("jaxgap/new.py", "-dirty")],
)
def test_a_commit_whose_code_was_changed_is_called_dirty(checkout, changed, ending):
    (checkout / changed).write_text("changed = True")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert module._git_commit() == head.stdout.strip() + ending


def test_a_package_inside_another_projects_checkout_has_no_commit(checkout, monkeypatch):
    inner = checkout / "site-packages" / "jaxgap" / "__init__.py"
    monkeypatch.setattr(jaxgap, "__file__", str(inner))
    inner.parent.mkdir(parents=True)
    assert module._git_commit() is None


def test_packages_that_decide_the_numbers_are_named_where_they_are_installed(monkeypatch):
    def version(name):
        if name == "math-verify":
            raise importlib.metadata.PackageNotFoundError
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = module.versions()
    assert {"orbax-checkpoint", "tokenizers", "reasoning-gym"} <= found.keys()
    assert "math-verify" not in found
