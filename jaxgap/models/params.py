"""The type of a model's parameters."""

from typing import Any, TypeAlias

Params: TypeAlias = dict[Any, Any]
"""A nested dict of arrays, as returned by `nnx.to_pure_dict`."""
