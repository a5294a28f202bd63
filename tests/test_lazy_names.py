"""Names that are imported on first use: all there, listed, and none imported early."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = ["dynamics", "fitting", "improve", "tasks"]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_listed_and_can_be_imported(package):
    module = importlib.import_module(f"jaxgap.{package}")
    assert set(module.__all__) <= set(dir(module))
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_an_attribute_error(package):
    module = importlib.import_module(f"jaxgap.{package}")
    with pytest.raises(AttributeError, match=f"'jaxgap.{package}' has no attribute 'missing'"):
        _ = module.missing


def test_listing_the_names_imports_none_of_their_modules():
    code = """import sys, jaxgap.improve
assert "self_improve" in dir(jaxgap.improve)
print("jaxgap.improve.loop" in sys.modules)"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"]
