"""The seven projections of a layer: their names, sizes, and which have a bias."""

from __future__ import annotations

from typing import NamedTuple

from jaxgap.models.config import DecoderConfig

ATTENTION = ("query", "key", "value", "output")
FEED_FORWARD = ("gate", "up", "down")


class ProjectionShape(NamedTuple):
    """The shape of a projection.

    **Fields:**

    - `in_size`, `out_size`: widths of its input and output.
    - `use_bias`: whether it has a bias.
    """

    in_size: int
    out_size: int
    use_bias: bool


def projection_shape(config: DecoderConfig, name: str) -> ProjectionShape:
    """The shape of the projection of this name."""
    hidden, heads = config.hidden_size, config.num_heads * config.head_dim
    kv_heads = config.num_kv_heads * config.head_dim
    return {
        "query": ProjectionShape(hidden, heads, config.qkv_bias),
        "key": ProjectionShape(hidden, kv_heads, config.qkv_bias),
        "value": ProjectionShape(hidden, kv_heads, config.qkv_bias),
        "output": ProjectionShape(heads, hidden, False),
        "gate": ProjectionShape(hidden, config.intermediate_size, False),
        "up": ProjectionShape(hidden, config.intermediate_size, False),
        "down": ProjectionShape(config.intermediate_size, hidden, False),
    }[name]
