"""Steps of PyTorch's AdamW on transformers' Llama: run in the peers' environment by the test.

Reads one .npz (weights by transformers' names, padded tokens, labels of -100 where nothing is
predicted) and writes the losses and the new weights to another.
"""

import json
import sys

import numpy as np


def main(settings: dict, source: str, target: str) -> None:
    # Here, since only the peers' environment has them.
    import torch
    import transformers

    given = dict(np.load(source))
    tokens, mask, labels = (
        torch.from_numpy(given.pop(key)) for key in ("tokens", "mask", "labels")
    )
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings["config"])).float()
    weights = {name: torch.from_numpy(array) for name, array in given.items()}
    missing = model.load_state_dict(weights, strict=False)
    assert missing.missing_keys == ["lm_head.weight"], missing
    assert not missing.unexpected_keys, missing
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and "embed" not in name
        (matrices if decays else others).append(parameter)
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": settings["weight_decay"]},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=settings["learning_rate"],
        betas=(0.9, 0.95),
        eps=1e-8,
    )
    losses = []
    for _ in range(settings["num_steps"]):
        logits = model(input_ids=tokens, attention_mask=mask).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"
        )
        loss = loss / len(tokens)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip_norm"])
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    state = {name: model.state_dict()[name].numpy() for name in given}
    np.savez(target, losses=losses, **state)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3])
