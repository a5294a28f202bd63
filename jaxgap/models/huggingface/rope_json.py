"""The rotary part of `config.json`, in its older form (`rope_theta`, `rope_scaling`) and its newer
one (`rope_parameters`); the older one is written, since every tool reads it.

If both are present, which happens when users add the older one, transformers lets it replace the
whole newer one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxgap.models.config import DecoderConfig
from jaxgap.models.model_files import Fields, ModelFileError
from jaxgap.models.rope_scaling import (
    AbstractRopeScaling,
    LinearScaling,
    Llama3Scaling,
    LongRope,
    NoScaling,
    longrope_attention_factor,
)

SCALINGS: dict[str, dict[str, type[AbstractRopeScaling]]] = {
    "llama": {"default": NoScaling, "linear": LinearScaling, "llama3": Llama3Scaling},
    # Early files use "su".
    "phi3": {"default": NoScaling, "longrope": LongRope, "su": LongRope},
    "qwen2": {"default": NoScaling, "linear": LinearScaling},
    "qwen3": {"default": NoScaling, "linear": LinearScaling},
}
"""The scalings of each family, by their names in files."""
_MAX_LENGTH = 10**12
_MAX_PAIRS = 100_000
_OLDER, _NEWER = "rope_scaling", "rope_parameters"
# The settings of both forms besides the scaling itself, with their defaults.
_DEFAULTS = {"rope_theta": 10_000.0, "partial_rotary_factor": 1.0}
_ORIGINAL = "original_max_position_embeddings"
# The default in transformers for a Phi-3 whose file does not give it outside the scaling.
_PHI3_ORIGINAL = 4096


def parse_rope(fields: Fields, family: str, context_length: int) -> dict[str, Any]:
    """The fields `rope_theta`, `partial_rotary_factor` and `rope_scaling` of a decoder's shape."""
    forms = {name: fields.values.get(name) or {} for name in (_OLDER, _NEWER)}
    for name, form in forms.items():
        if not isinstance(form, dict):
            raise fields.error(name, "an object")
    stated_by = _OLDER if forms[_OLDER] else _NEWER
    # The newer form has everything in one object; the older one keeps these beside it.
    outer = {
        name: fields.values[name]
        for name in (*_DEFAULTS, _ORIGINAL)
        if fields.values.get(name) is not None
    }
    rope = Fields(outer | forms[stated_by], f"{fields.where}: {stated_by}")
    _choose_original_length(rope, forms[stated_by].get(_ORIGINAL), outer.get(_ORIGINAL), family)
    numbers = {name: rope.number(name, default) for name, default in _DEFAULTS.items()}
    if family != "phi3" and numbers["partial_rotary_factor"] != 1:
        raise rope.error("partial_rotary_factor", f"1 in the family {family}")
    scaling = _parse_scaling(rope, family, context_length)
    _refuse_nested(rope)
    if stated_by == _OLDER:
        _refuse_loss(fields, forms[_NEWER], numbers)
    return {**numbers, "rope_scaling": scaling}


def _refuse_loss(fields: Fields, newer: dict[str, Any], numbers: dict[str, float]) -> None:
    """Refuse a number of the newer form that the older one would silently replace."""
    for name, number in numbers.items():
        if newer.get(name) not in (None, number):
            raise ModelFileError(
                f"{fields.where}: {_OLDER} takes the place of {_NEWER}, whose {name} "
                f"{newer[name]!r:.60} would be lost; add it to {_OLDER}"
            )


def _refuse_nested(rope: Fields) -> None:
    """Refuse an object per layer type: the supported families have one for all layers."""
    nested = next((name for name, value in rope.values.items() if isinstance(value, dict)), None)
    if nested is not None:
        raise rope.error(nested, "left out: every layer has the same rotary embedding here")


def _choose_original_length(rope: Fields, inner: Any, outer: Any, family: str) -> None:
    """Choose the length before scaling: Phi-3 keeps it outside, where transformers reads it.

    For other families, versions of transformers disagree about which one counts.
    """
    if family == "phi3":
        rope.values[_ORIGINAL] = _PHI3_ORIGINAL if outer is None else outer
        if outer is None and inner not in (None, _PHI3_ORIGINAL):
            raise ModelFileError(
                f"{rope.where}: transformers takes {_ORIGINAL} of a phi3 from the top level of "
                f"config.json, or {_PHI3_ORIGINAL}; put {inner!r:.60} there too"
            )
    elif None not in (inner, outer) and inner != outer:
        raise rope.error(_ORIGINAL, f"{outer!r:.60}, as at the top level of config.json")


def _parse_scaling(rope: Fields, family: str, context_length: int) -> AbstractRopeScaling:
    kinds = SCALINGS[family]
    kind = rope.values.get("rope_type", rope.values.get("type", "default"))
    if not isinstance(kind, str) or kind not in kinds:
        rope.values["rope_type"] = kind
        raise rope.error("rope_type", f"one of {', '.join(kinds)} in the family {family}")
    read = {
        NoScaling: _no_scaling,
        LinearScaling: _linear,
        Llama3Scaling: _llama3,
        LongRope: _longrope,
    }[kinds[kind]]
    return read(rope, context_length)


def _no_scaling(rope: Fields, context_length: int) -> AbstractRopeScaling:
    return NoScaling()


def _linear(rope: Fields, context_length: int) -> AbstractRopeScaling:
    return LinearScaling(rope.number("factor"))


def _llama3(rope: Fields, context_length: int) -> AbstractRopeScaling:
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if high <= low:
        raise rope.error("high_freq_factor", f"above low_freq_factor={low}")
    original = rope.integer(_ORIGINAL, context_length, maximum=_MAX_LENGTH)
    return Llama3Scaling(rope.number("factor"), low, high, original)


def _longrope(rope: Fields, context_length: int) -> AbstractRopeScaling:
    original = rope.integer(_ORIGINAL, maximum=_MAX_LENGTH)
    stretch = rope.number("factor", context_length / original)
    factor = longrope_attention_factor(stretch, original)
    short, long = _factors(rope, "short_factor"), _factors(rope, "long_factor")
    if len(long) != len(short):
        raise rope.error("long_factor", f"{len(short)} numbers, as many as short_factor")
    return LongRope(short, long, original, rope.number("attention_factor", factor))


def _factors(rope: Fields, name: str) -> tuple[float, ...]:
    values = rope.values.get(name)
    if (
        not isinstance(values, list)
        or len(values) > _MAX_PAIRS
        or not all(type(value) in (int, float) and 0 < value < 1e18 for value in values)
    ):
        raise rope.error(name, "a list of positive finite numbers")
    return tuple(float(value) for value in values)


def rope_json(config: DecoderConfig, family: str) -> dict[str, Any]:
    """The rotary part of the `config.json` of a decoder of this family."""
    values: dict[str, Any] = {"rope_theta": config.rope_theta}
    if config.partial_rotary_factor != 1:
        values["partial_rotary_factor"] = config.partial_rotary_factor
    if family == "phi3":
        # Their config.json always has it, and llama.cpp's converter requires it.
        values["original_max_position_embeddings"] = config.context_length
    match config.rope_scaling:
        case LinearScaling(factor):
            values["rope_scaling"] = {"rope_type": "linear", "factor": factor}
        case Llama3Scaling(factor, low, high, original):
            values["rope_scaling"] = {
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": original,
            }
        case LongRope() as longrope:
            values["original_max_position_embeddings"] = longrope.original_length
            values["rope_scaling"] = _longrope_json(longrope, config.context_length)
    return values


def _longrope_json(scaling: LongRope, context_length: int) -> dict[str, Any]:
    # As in Microsoft's files: transformers before 5.0 rejects any other entries.
    entries: dict[str, Any] = {
        "type": "longrope",
        "short_factor": list(scaling.short_factors),
        "long_factor": list(scaling.long_factors),
    }
    original = scaling.original_length
    implied = longrope_attention_factor(context_length / original, original)
    # Compared in float32, as GGUF files store it and as it is applied.
    if np.float32(scaling.magnitude) != np.float32(implied):
        entries["attention_factor"] = scaling.magnitude
    return entries
