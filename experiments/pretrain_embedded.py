"""Make the weights of the embedded model: `python experiments/pretrain_embedded.py`.

Trains on the lines of `corpus.py` from a fixed seed, prints what the model has learned every 250
steps, and writes bfloat16 safetensors. Takes about 8 minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import functools
import time
from pathlib import Path

import corpus
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgap.models import LanguageModel, Params
from jaxgap.models.embedded import (
    CAREFUL_MARKER,
    CARELESS_MARKER,
    RIGHT,
    WEIGHTS_FILE,
    WRONG,
    embedded_language_model,
)
from jaxgap.models.weights import save_weights

SEED = 0
NUM_STEPS = 4_000
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
DEFAULT_OUT = Path(__file__).parents[1] / "jaxgap" / "models" / "embedded" / WEIGHTS_FILE


def token_losses(model: LanguageModel, params: Params, lines: jax.Array) -> jax.Array:
    """Negative log-likelihood in nats of every token after the first."""
    logits, _ = model.apply(params, lines[:, :-1], lines[:, :-1] != model.tokenizer.pad_id)
    return optax.softmax_cross_entropy_with_integer_labels(logits, lines[:, 1:])


def optimizer() -> optax.GradientTransformation:
    """AdamW with warm-up and cosine decay."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, LEARNING_RATE, 200, NUM_STEPS, 0.02 * LEARNING_RATE
    )
    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, b2=0.98, weight_decay=0.05)
    )


@functools.partial(jax.jit, static_argnames=("model",), donate_argnames=("params", "opt_state"))
def step(model: LanguageModel, params: Params, opt_state, lines, weights):
    """One update on the weighted mean loss of a batch of lines."""

    def loss(params):
        losses = token_losses(model, params, lines)
        return (losses * weights[:, 1:]).sum() / weights.sum()

    value, gradients = jax.value_and_grad(loss)(params)
    updates, opt_state = optimizer().update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, value


@functools.partial(jax.jit, static_argnames=("model",))
def writers_loss(model: LanguageModel, params: Params, lines, weights):
    """Mean total negative log-likelihood of the answers on writers' lines."""
    return (token_losses(model, params, lines) * weights[:, 1:]).sum() / len(lines)


@functools.partial(jax.jit, static_argnames=("model",))
def verdict_accuracy(model: LanguageModel, params: Params, lines):
    """The fraction of verdicts, the last tokens of the lines, that the model predicts."""
    words = jnp.array([model.tokenizer.encode(word)[0] for word in (WRONG, RIGHT)])
    logits, _ = model.apply(params, lines[:, :-1], jnp.ones_like(lines[:, :-1], bool))
    return (words[logits[:, -1, words].argmax(-1)] == lines[:, -1]).mean()


def examination(model: LanguageModel, count: int = 1_000):
    """Evaluation lines: writers', and writers' answers marked by each kind of marker."""
    rng = np.random.default_rng(SEED + 1)

    def written(rng, sums, right):
        return corpus.write(rng, sums)

    tokenizer = model.tokenizer
    answered = corpus.writers_lines(rng, tokenizer, count)
    careful, _ = corpus.markers_lines(
        rng, tokenizer, count, CAREFUL_MARKER, corpus.true_sum, written
    )
    careless, _ = corpus.markers_lines(
        rng, tokenizer, count, CARELESS_MARKER, corpus.column_sum, written
    )
    return answered, careful, careless


def pretrain(out: Path) -> None:
    """Train from the fixed seed, writing the weights after every report."""
    model = embedded_language_model()
    params = model.init(jax.random.key(SEED))
    opt_state = optimizer().init(params)
    rng = np.random.default_rng(SEED)
    answered, careful, careless = examination(model)
    start = time.perf_counter()
    for count in range(1, NUM_STEPS + 1):
        lines, weights = corpus.draw_lines(rng, model.tokenizer, BATCH_SIZE)
        params, opt_state, loss = step(model, params, opt_state, lines, weights)
        if count % 250 == 0:
            print(
                f"step {count} ({time.perf_counter() - start:.0f} s): loss {loss:.3f}, "
                f"writers' answers {writers_loss(model, params, *answered):.3f} nats, verdicts: "
                f"careful {verdict_accuracy(model, params, careful):.3f}, "
                f"careless {verdict_accuracy(model, params, careless):.3f}",
                flush=True,
            )
            save_weights(out, params)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="write the weights here")
    pretrain(parser.parse_args().out)
