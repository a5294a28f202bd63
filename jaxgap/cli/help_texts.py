"""Help texts that break where the terminal ends, not where the lines of the source do."""

import dataclasses
from collections.abc import Callable

from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

_HelpText = str | Callable[[], str | None] | None


def filled_help_texts() -> ConstructorRegistry:
    """A registry for `tyro.cli` by which the help text of each field is one paragraph.

    tyro keeps a line of a docstring as a line of its own unless it begins with a letter. Those of
    a field's docstring begin with the indentation of its class, so all of them would be kept.
    """
    registry = ConstructorRegistry()
    is_asking = False

    @registry.struct_rule
    def _filled_fields(info: StructTypeInfo) -> StructConstructorSpec | None:
        nonlocal is_asking
        if is_asking:
            return None  # on to tyro's own rules, whose fields are what is changed
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
    """The same without line breaks; read from the source only where help is shown, as by tyro."""

    def read() -> str | None:
        found = text() if callable(text) else text
        return None if found is None else " ".join(found.split())

    return read
