"""Sampling with shared prefills, batched decoding and exact draws; logits for judging."""

from jaxgap.sampling.batch import TokenBatch, encode_prompts, pad_left
from jaxgap.sampling.categorical import block_sums, inverse_cdf, row_uniforms
from jaxgap.sampling.completions import Completions, Progress
from jaxgap.sampling.continuations import Continuations, split_prefixes
from jaxgap.sampling.continued_logits import continued_logits
from jaxgap.sampling.draw import draw
from jaxgap.sampling.sample import sample
from jaxgap.sampling.sampling_params import SamplingParams, TracedSamplingParams

__all__ = [
    "Completions",
    "Continuations",
    "Progress",
    "SamplingParams",
    "TokenBatch",
    "TracedSamplingParams",
    "block_sums",
    "continued_logits",
    "draw",
    "encode_prompts",
    "inverse_cdf",
    "pad_left",
    "row_uniforms",
    "sample",
    "split_prefixes",
]
