"""The matrix products of an update step, and how fast XLA runs them alone.

A step cannot be faster than its own products in the same shapes; the rest of its time is spent on
elementwise work, memory traffic and the optimizer. The products are derived from the model's shape;
those of one shape are timed together.
"""

import collections
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from training_case import Case, run_worker


class Product(NamedTuple):
    """A product as an einsum of two arrays."""

    spec: str
    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        inputs, _ = self.spec.split("->")
        sizes = {}
        for axes, shape in zip(inputs.split(","), (self.left, self.right), strict=True):
            sizes |= dict(zip(axes, shape, strict=True))
        count = 2
        for size in sizes.values():
            count *= size
        return count


def products(case: Case) -> collections.Counter[Product]:
    """All products of one step, forward and backward, and how often each runs."""
    counts: collections.Counter[Product] = collections.Counter()
    for product in _microbatch(case):
        counts[product] += case.rows // case.microbatch_rows
    return counts


def _microbatch(case: Case) -> Iterator[Product]:
    tokens = case.microbatch_rows * case.length
    num_targets = case.microbatch_rows * (case.length - case.prompt_length + 1)
    heads, kv_heads = case.num_heads * case.head_dim, case.num_kv_heads * case.head_dim
    hidden, inner = case.hidden_size, case.intermediate_size
    projections = [(hidden, heads), (hidden, kv_heads), (hidden, kv_heads), (heads, hidden)]
    projections += [(hidden, inner), (hidden, inner), (inner, hidden)]
    full = not case.lora_rank
    for _ in range(case.num_layers):
        for in_size, out_size in projections:
            yield from _linear(tokens, in_size, out_size, trained=full)
            if case.lora_rank:
                yield from _linear(tokens, in_size, case.lora_rank, trained=True)
                yield from _linear(tokens, case.lora_rank, out_size, trained=True)
        yield from _attention(case)
    yield Product("nh,vh->nv", (num_targets, hidden), (case.vocab_size, hidden))
    yield Product("nv,vh->nh", (num_targets, case.vocab_size), (case.vocab_size, hidden))
    if full:
        yield Product("hn,nv->hv", (hidden, num_targets), (num_targets, case.vocab_size))


def _linear(tokens: int, in_size: int, out_size: int, trained: bool) -> Iterator[Product]:
    yield Product("ni,io->no", (tokens, in_size), (in_size, out_size))
    yield Product("no,io->ni", (tokens, out_size), (in_size, out_size))
    if trained:
        yield Product("in,no->io", (in_size, tokens), (tokens, out_size))


def _attention(case: Case) -> Iterator[Product]:
    batch, kv_heads = case.microbatch_rows, case.num_kv_heads
    queries = (batch, kv_heads, case.num_heads // kv_heads * case.length, case.head_dim)
    keys = (batch, kv_heads, case.length, case.head_dim)
    scores = (*queries[:3], case.length)
    # Scores and weighted values, then for each the gradients with respect to both factors.
    yield Product("bkqd,bksd->bkqs", queries, keys)
    yield Product("bkqs,bksd->bkqd", scores, keys)
    yield Product("bkqs,bksd->bkqd", scores, keys)
    yield Product("bkqs,bkqd->bksd", scores, queries)
    yield Product("bkqd,bksd->bkqs", queries, keys)
    yield Product("bkqs,bkqd->bksd", scores, queries)


def measure(case: Case, shortest: float = 0.1) -> dict[str, float]:
    """Wall-clock and processor time of all products of a step.

    Each shape runs for at least `shortest` seconds, or as often as in a step.
    """
    wall = cpu = 0.0
    for product, count in products(case).items():
        left, right = (
            jax.random.normal(jax.random.key(index), shape)
            for index, shape in enumerate((product.left, product.right))
        )
        run = jax.jit(lambda left, right, spec=product.spec: jnp.einsum(spec, left, right))
        run(left, right).block_until_ready()
        runs, start, cpu_start = 0, time.perf_counter(), time.process_time()
        while runs < count and time.perf_counter() - start < shortest:
            run(left, right).block_until_ready()
            runs += 1
        wall += (time.perf_counter() - start) * count / runs
        cpu += (time.process_time() - cpu_start) * count / runs
    return {"seconds": wall, "cpu_seconds": cpu}


if __name__ == "__main__":
    run_worker(measure)
