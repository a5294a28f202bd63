"""The shape of a decoder: all settings that determine its parameters and its arithmetic."""

from __future__ import annotations

import dataclasses

from jaxgap.models.rope_scaling import AbstractRopeScaling, LongRope, NoScaling

FAMILIES = ("llama", "phi3", "qwen2", "qwen3")


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """The shape of a Llama-style decoder: Llama, Phi-3 and 4, Qwen2.5, Qwen3.

    **Fields:**

    - `vocab_size`: number of tokens, >= 1.
    - `hidden_size`: width of the residual stream, >= 1.
    - `intermediate_size`: width of the gated feed-forward layer, >= 1.
    - `num_layers`: number of blocks, >= 1.
    - `num_heads`: number of query heads, >= 1.
    - `num_kv_heads`: number of key and value heads; divides `num_heads` (grouped-query attention).
    - `head_dim`: width of one head, even (the rotary embedding rotates pairs).
    - `rope_theta`: base wavelength of the rotary embedding, > 0.
    - `norm_eps`: added to the mean square in RMSNorm, > 0.
    - `tie_embeddings`: whether the output layer is the transpose of the token embedding.
    - `partial_rotary_factor`: the fraction of each head that is rotated, in (0, 1]; the rest has no
        positional encoding (Phi-4-mini).
    - `rope_scaling`: how frequencies are scaled for long contexts.
    - `sliding_window`: each token attends to this many, including itself; None for all before it
        (Phi-3).
    - `qkv_bias`: whether queries, keys and values have a bias (Qwen2.5).
    - `qk_norm`: whether each query and key head is normalised before rotation (Qwen3).
    - `context_length`: tokens the model was made for, prompt and completion together, >= 1.
    - `family`: one of `llama`, `phi3`, `qwen2`, `qwen3`: determines the names of tensors and
        adapters in files, not the arithmetic. None, in a configuration made by hand, stands for the
        first of these that computes what the other fields say.

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
    partial_rotary_factor: float = 1.0
    rope_scaling: AbstractRopeScaling = NoScaling()
    sliding_window: int | None = None
    qkv_bias: bool = False
    qk_norm: bool = False
    context_length: int = 2048
    family: str | None = None

    @property
    def rotary_dim(self) -> int:
        """The number of entries of each head that are rotated."""
        return int(self.head_dim * self.partial_rotary_factor)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not value > 0:
                raise ValueError(f"{field.name} must be positive, got {value!r}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_kv_heads must divide num_heads={self.num_heads}, got {self.num_kv_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even, got {self.head_dim}")
        if self.family not in (None, *FAMILIES):
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {self.family!r}")
        self._check_rotary()

    def _check_rotary(self):
        factor, scaling = self.partial_rotary_factor, self.rope_scaling
        if factor > 1 or self.rotary_dim % 2 or not self.rotary_dim:
            raise ValueError(
                f"partial_rotary_factor must turn an even part of head_dim={self.head_dim}, "
                f"got {factor!r}"
            )
        if isinstance(scaling, LongRope) and len(scaling.short_factors) != self.rotary_dim // 2:
            raise ValueError(
                f"short_factors must be {self.rotary_dim // 2}, one a pair that turns, "
                f"got {len(scaling.short_factors)}"
            )
