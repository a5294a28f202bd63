"""Prefill, decoding, exact categorical sampling, and teacher-forced scoring."""

from jaxgap.sampling.batch import TokenBatch, encode_prompts, longest, pad_left
from jaxgap.sampling.categorical import inverse_cdf, row_uniforms
from jaxgap.sampling.completions import Progress
from jaxgap.sampling.sample import Completions, sample
from jaxgap.sampling.score import completion_logprobs, next_token_logits

__all__ = [
    "Completions",
    "Progress",
    "TokenBatch",
    "completion_logprobs",
    "encode_prompts",
    "inverse_cdf",
    "longest",
    "next_token_logits",
    "pad_left",
    "row_uniforms",
    "sample",
]
