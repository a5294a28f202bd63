"""The table of what a file may name."""

import dataclasses

import pytest

from jaxgap.fitting import OdeCurves, closed_form
from jaxgap.fitting.saving.saved_records import _RECORDS, function_named, record_named


def test_every_record_is_found_by_its_class_and_has_fields():
    for name, record in _RECORDS.items():
        assert record_named(name) is record
        assert record.__name__ == name
        assert dataclasses.is_dataclass(record) or issubclass(record, tuple)
    assert record_named("OdeCurves") is OdeCurves
    assert function_named("closed_form") is closed_form


@pytest.mark.parametrize("name", ["", "Path", "eval", "__class__", "jaxgap.fitting:fit"])
def test_nothing_else_can_be_named(name):
    assert record_named(name) is None
    assert function_named(name) is None
