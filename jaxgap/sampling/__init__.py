"""Prefill, decoding, exact categorical sampling, and teacher-forced scoring."""

from jaxgap.sampling.batch import TokenBatch, encode_prompts, longest
from jaxgap.sampling.categorical import inverse_cdf, row_uniforms
from jaxgap.sampling.sample import Completions, sample
from jaxgap.sampling.score import completion_logprobs, next_token_logits

__all__ = [
    "Completions",
    "TokenBatch",
    "completion_logprobs",
    "encode_prompts",
    "inverse_cdf",
    "longest",
    "next_token_logits",
    "row_uniforms",
    "sample",
]
