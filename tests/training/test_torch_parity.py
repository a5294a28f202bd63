"""AdamW steps give the weights that PyTorch and transformers give, from the same weights."""

import json
import os
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.training import AdamW, BatchShape, Computation, Constant, pack, update

PEERS = Path(os.environ.get("JAXGAP_PEERS", Path.home() / ".cache" / "jaxgap" / "peers"))
NUM_STEPS = 3
NAMES = {
    "attention_norm.scale": "input_layernorm",
    "attention.query.kernel": "self_attn.q_proj",
    "attention.key.kernel": "self_attn.k_proj",
    "attention.value.kernel": "self_attn.v_proj",
    "attention.output.kernel": "self_attn.o_proj",
    "feed_forward_norm.scale": "post_attention_layernorm",
    "feed_forward.gate.kernel": "mlp.gate_proj",
    "feed_forward.up.kernel": "mlp.up_proj",
    "feed_forward.down.kernel": "mlp.down_proj",
}


@pytest.fixture
def python() -> Path:
    python = PEERS / "torch" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {python}: python benchmarks/training.py --setup makes it")
    return python


def for_transformers(params) -> dict[str, np.ndarray]:
    """The parameters by the names that transformers has for them, kernels as (out, in)."""
    named = {"model.embed_tokens.weight": params["embedding"]["embedding"]}
    named["model.norm.weight"] = params["norm"]["scale"]
    for layer, block in params["blocks"].items():
        for ours, theirs in NAMES.items():
            leaf = block
            for key in ours.split("."):
                leaf = leaf[key]
            named[f"model.layers.{layer}.{theirs}.weight"] = leaf.T
    return {name: np.ascontiguousarray(leaf) for name, leaf in named.items()}


def padded(examples) -> dict[str, np.ndarray]:
    """Prompts and completions in rows, padded on the right as transformers wants them."""
    rows = []
    for (prompt, real), completion, mask in zip(
        zip(*examples.prompts, strict=True), examples.tokens, examples.completion_mask, strict=True
    ):
        rows.append((prompt[real], completion[mask]))
    width = max(len(prompt) + len(completion) for prompt, completion in rows)
    tokens, labels = np.zeros((len(rows), width), np.int64), np.full((len(rows), width), -100)
    mask = np.zeros((len(rows), width), np.int64)
    for row, (prompt, completion) in enumerate(rows):
        end = len(prompt) + len(completion)
        tokens[row, :end] = np.concatenate([prompt, completion])
        labels[row, len(prompt) : end] = completion
        mask[row, :end] = 1
    return {"tokens": tokens, "labels": labels, "mask": mask}


@pytest.mark.slow
def test_steps_agree_with_pytorch(python, tiny_model, tiny_params, examples, tmp_path):
    config = tiny_model.config
    settings = {
        "config": {
            "vocab_size": config.vocab_size,
            "hidden_size": config.hidden_size,
            "intermediate_size": config.intermediate_size,
            "num_hidden_layers": config.num_layers,
            "num_attention_heads": config.num_heads,
            "num_key_value_heads": config.num_kv_heads,
            "head_dim": config.head_dim,
            "rms_norm_eps": config.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
            "tie_word_embeddings": True,
        },
        "learning_rate": 1e-3,
        "weight_decay": 0.1,
        "clip_norm": 0.5,
        "num_steps": NUM_STEPS,
    }
    source, target = tmp_path / "source.npz", tmp_path / "target.npz"
    np.savez(source, **padded(examples), **for_transformers(tiny_params))
    script = Path(__file__).with_name("torch_step.py")
    command = [str(python), str(script), json.dumps(settings), str(source), str(target)]
    subprocess.run(command, check=True)
    theirs = dict(np.load(target))

    optimizer = AdamW(Constant(1e-3), weight_decay=0.1, clip_norm=0.5)
    params = jax.tree.map(jnp.copy, tiny_params)
    opt_state = optimizer.transformation().init(params)
    batch = pack(examples, BatchShape(4, 2, 16))
    losses = []
    for _ in range(NUM_STEPS):
        step = update(tiny_model, optimizer, Computation(), params, {}, opt_state, batch)
        params, opt_state = step.trainable, step.opt_state
        losses.append(step.loss)
    np.testing.assert_allclose(losses, theirs.pop("losses"), rtol=1e-5)
    # Three steps of 1e-3; Adam magnifies the rounding of gradients that are nearly zero.
    ours = for_transformers(params)
    for name, expected in theirs.items():
        np.testing.assert_allclose(ours[name], expected, atol=2e-5, err_msg=name)
