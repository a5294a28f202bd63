"""The shape of a decoder: every number that fixes its parameters and its arithmetic."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """The shape of a Llama-style decoder.

    **Fields:**

    - `vocab_size`: number of tokens, >= 1.
    - `hidden_size`: width of the residual stream, >= 1.
    - `intermediate_size`: width of the gated feed-forward layer, >= 1.
    - `num_layers`: number of blocks, >= 1.
    - `num_heads`: number of query heads, >= 1.
    - `num_kv_heads`: number of key and value heads; divides `num_heads` (grouped-query attention).
    - `head_dim`: width of one head, even (rotary embedding turns pairs).
    - `rope_theta`: base wavelength of the rotary embedding, > 0.
    - `norm_eps`: added to the mean square in RMSNorm, > 0.
    - `tie_embeddings`: whether the output layer is the transpose of the token embedding.

    **Raises:** `ValueError` if a field is outside the range above.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    tie_embeddings: bool = True

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "tie_embeddings" and not value > 0:
                raise ValueError(f"{field.name} must be positive, got {value!r}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads must divide num_heads={self.num_heads}, got {self.num_kv_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even, got {self.head_dim}")
