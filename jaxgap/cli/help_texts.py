"""Help texts wrapped to the terminal's width, not at the line breaks of the source."""

import dataclasses
from collections.abc import Callable

from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

_HelpText = str | Callable[[], str | None] | None


def filled_help_texts() -> ConstructorRegistry:
    """A registry for `tyro.cli` that makes the help text of each field one paragraph.

    tyro keeps a docstring's line break unless the next line begins with a letter. The lines of a
    field's docstring begin with the indentation of its class, so all breaks would be kept.
    """
    registry = ConstructorRegistry()
    is_asking = False

    @registry.struct_rule
    def _filled_fields(info: StructTypeInfo) -> StructConstructorSpec | None:
        nonlocal is_asking
        if is_asking:
            return None  # defer to tyro's own rules, whose fields are modified below
        is_asking = True
        try:
            spec = ConstructorRegistry.get_struct_spec(info)
        finally:
            is_asking = False
        if not isinstance(spec, StructConstructorSpec):
            return None
        fields = (
            dataclasses.replace(field, helptext=_filled(field.helptext)) for field in spec.fields
        )
        return dataclasses.replace(spec, fields=tuple(fields))

    return registry


def _filled(text: _HelpText) -> Callable[[], str | None]:
    """The text without line breaks; as in tyro, read from the source only when help is shown."""

    def read() -> str | None:
        found = text() if callable(text) else text
        return None if found is None else " ".join(found.split())

    return read
