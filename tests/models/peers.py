"""What transformers and PEFT compute, for tests that compare with them.

They need PyTorch, which the project does not use, so they run in an environment of their own:

    python tests/models/peers.py setup FOLDER     # makes it (the versions are pinned below)
    FOLDER/bin/python tests/models/peers.py golden # writes tests/models/golden anew

Tests marked slow run the other commands, with the interpreter that `JAXGAP_PEERS_PYTHON` names.
Nothing but NumPy is imported at the top, so that the tests share the tiny models below.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np

PINS = (
    "torch==2.13.0",
    "transformers==5.24.0",
    "peft==0.21.2",
    "gguf==0.19.0",
    "sentencepiece==0.2.3",
)
GOLDEN = Path(__file__).with_name("golden")

_SMALL = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_LONGROPE = {
    "type": "longrope",
    "short_factor": [1.0, 1.1, 1.3, 2.0],
    "long_factor": [1.2, 2, 5, 9],
}
_PHI4 = {"type": "longrope", "short_factor": [1.0, 1.2, 1.5], "long_factor": [1.1, 3.0, 8.0]}
_LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
FAMILIES = {
    "llama2": _SMALL | {"model_type": "llama", "num_key_value_heads": 4},
    "llama3": _SMALL
    | {
        "model_type": "llama",
        "rope_theta": 50.0,
        "rope_scaling": _LLAMA3,
        "tie_word_embeddings": True,
    },
    "llama_linear": _SMALL
    | {"model_type": "llama", "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
    "smollm2": _SMALL
    | {"model_type": "llama", "rope_theta": 1e5, "rms_norm_eps": 1e-5, "tie_word_embeddings": True},
    "phi3_mini": _SMALL | {"model_type": "phi3", "num_key_value_heads": 4, "sliding_window": 7},
    "phi35_mini": _SMALL
    | {
        "model_type": "phi3",
        "num_key_value_heads": 4,
        "rope_scaling": _LONGROPE,
        "original_max_position_embeddings": 16,
        "sliding_window": 262144,
    },
    "phi4_mini": _SMALL
    | {
        "model_type": "phi3",
        "rope_scaling": _PHI4,
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 16,
        "tie_word_embeddings": True,
    },
    "qwen25": _SMALL | {"model_type": "qwen2", "rope_theta": 1e6, "tie_word_embeddings": True},
    "qwen3": _SMALL | {"model_type": "qwen3", "rope_theta": 1e6, "head_dim": 16},
}
"""Tiny configurations with every feature of the family; windows end at 16 tokens or before."""


def tensor_values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of a tensor, from its name: norms about one, the rest of a size that matters."""
    numbers = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = numbers.standard_normal(shape).astype(np.float32)
    if "norm" in name:
        return (1 + 0.2 * values).astype(np.float32)
    return (values * (0.3 if len(shape) == 1 else 1.5 / np.sqrt(shape[-1]))).astype(np.float32)


def short_case() -> tuple[np.ndarray, np.ndarray]:
    """Two rows of 12 tokens, the second with four of padding on its left, and their mask."""
    tokens = np.random.Generator(np.random.PCG64(1)).integers(3, 64, (2, 12))
    mask = np.ones((2, 12), bool)
    mask[1, :4] = False
    return np.where(mask, tokens, 0), mask


def long_case() -> tuple[np.ndarray, np.ndarray]:
    """Two rows of 48 and 40 tokens, longer than every window above."""
    tokens = np.random.Generator(np.random.PCG64(2)).integers(3, 64, (2, 48))
    mask = np.ones((2, 48), bool)
    mask[1, :8] = False
    return np.where(mask, tokens, 0), mask


def main(command: str, *arguments: str) -> None:
    {
        "setup": setup,
        "golden": golden,
        "save": save,
        "logits": logits,
        "adapter": adapter,
        "adapter-logits": adapter_logits,
        "greedy": greedy,
        "sentencepiece": sentencepiece,
    }[command](*arguments)


def setup(folder: str) -> None:
    """Make the environment."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run(
        [Path(folder) / "bin" / "python", "-m", "pip", "install", "-q", *PINS], check=True
    )


def golden() -> None:
    """Write each family's `config.json` and logits, and the versions that made them."""
    import torch
    import transformers

    for family in FAMILIES:
        model = _tiny_model(family)
        folder = GOLDEN / family
        folder.mkdir(parents=True, exist_ok=True)
        model.config.save_pretrained(folder)
        np.savez_compressed(
            folder / "logits.npz",
            short=_forward(model, *short_case()),
            long=_forward(model, *long_case())[:, -6:],
        )
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (GOLDEN / "versions.json").write_text(json.dumps(versions) + "\n")


def save(family: str, folder: str) -> None:
    """Save a tiny model as transformers does, in several files."""
    _tiny_model(family).save_pretrained(folder, max_shard_size="20KB")


def logits(folder: str, out: str) -> None:
    """The logits of a folder on both cases."""
    _save_logits(_load(folder), out)


def adapter(folder: str, out: str) -> None:
    """Save an adapter with random numbers on most projections of the model in `folder`."""
    import peft
    import torch

    fused = json.loads((Path(folder) / "config.json").read_text())["model_type"] == "phi3"
    names = ["qkv_proj", "o_proj", "gate_up_proj"] if fused else ["q_proj", "v_proj", "up_proj"]
    config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=names, task_type="CAUSAL_LM")
    model = peft.get_peft_model(_load(folder), config)
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(out)
    _save_logits(model, out + ".npz")


def adapter_logits(folder: str, adapter_folder: str, out: str) -> None:
    """The logits of a model with an adapter."""
    import peft

    _save_logits(peft.PeftModel.from_pretrained(_load(folder), adapter_folder), out)


def greedy(gguf: str, questions: str, steps: str, out: str) -> None:
    """What transformers makes of a GGUF file: prompts in tokens, and its most likely answers."""
    import torch
    import transformers

    torch.manual_seed(0)
    path = Path(gguf)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()
    answers = []
    for question in json.loads(Path(questions).read_text()):
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        drawn = model.generate(
            **ids, max_new_tokens=int(steps), do_sample=False, pad_token_id=0, eos_token_id=2
        )
        start = ids["input_ids"].shape[1]
        answers.append(
            {"text": text, "prompt": ids["input_ids"][0].tolist(), "ids": drawn[0, start:].tolist()}
        )
    Path(out).write_text(json.dumps(answers))


def sentencepiece() -> None:
    """Train a small BPE of SentencePiece of Llama-2's kind, and write what it makes of texts."""
    import io

    import sentencepiece as library

    corpus = Path(__file__).read_text().splitlines() * 3
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        vocab_size=400,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    processor = library.SentencePieceProcessor(model_proto=model.getvalue())
    numbers = range(processor.get_piece_size())
    texts = [
        "the model",
        "Hello, World! 123",
        "  two  spaces",
        "déjà 😀 vu",
        "numpy",
        "a\tb",
        "x = 3.14",
    ]
    # Types as GGUF counts them.
    kinds = [
        2
        if processor.is_unknown(i)
        else 3
        if processor.is_control(i)
        else 6
        if processor.is_byte(i)
        else 1
        for i in numbers
    ]
    values = {
        "version": library.__version__,
        "tokens": [processor.id_to_piece(i) for i in numbers],
        "scores": [processor.get_score(i) for i in numbers],
        "token_type": kinds,
        "texts": {text: processor.encode(text) for text in texts},
    }
    (GOLDEN / "sentencepiece.json").write_text(json.dumps(values, ensure_ascii=False))


def _tiny_model(family: str):
    import torch
    import transformers

    values = dict(FAMILIES[family])
    config = transformers.AutoConfig.for_model(values.pop("model_type"), **values)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    state = {
        name: torch.from_numpy(tensor_values(name, tuple(tensor.shape)))
        for name, tensor in model.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }
    model.load_state_dict(state, strict=not config.tie_word_embeddings)
    return model


def _load(folder: str):
    import torch
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def _save_logits(model, out: str) -> None:
    np.savez(out, short=_forward(model, *short_case()), long=_forward(model, *long_case()))


def _forward(model, tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    import torch

    positions = np.maximum(mask.cumsum(1) - 1, 0)
    with torch.no_grad():
        output = model(
            input_ids=torch.from_numpy(tokens),
            attention_mask=torch.from_numpy(mask.astype(np.int64)),
            position_ids=torch.from_numpy(positions),
        )
    return output.logits.float().numpy()


if __name__ == "__main__":
    main(*sys.argv[1:])
