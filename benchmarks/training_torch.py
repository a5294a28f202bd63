"""One turn of transformers + PyTorch (with peft for LoRA) in benchmarks/training.py.

The loss is transformers' own cross-entropy, summed over each row and averaged over rows; the step
is a plain training loop's. Threads, attention (SDPA) and AdamW are the libraries' defaults.
"""

import torch  # pyright: ignore[reportMissingImports]
import transformers  # pyright: ignore[reportMissingImports]
from training_case import WARM_UP_STEPS, Case, Clock, run_worker


def build(case: Case):
    config = transformers.LlamaConfig(
        vocab_size=case.vocab_size,
        hidden_size=case.hidden_size,
        intermediate_size=case.intermediate_size,
        num_hidden_layers=case.num_layers,
        num_attention_heads=case.num_heads,
        num_key_value_heads=case.num_kv_heads,
        head_dim=case.head_dim,
        rms_norm_eps=case.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": case.rope_theta},
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = transformers.LlamaForCausalLM(config)
    if case.lora_rank:
        import peft  # pyright: ignore[reportMissingImports]

        adapters = peft.LoraConfig(
            r=case.lora_rank,
            lora_alpha=2 * case.lora_rank,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        model = peft.get_peft_model(model, adapters)
    return model.train()


def measure(case: Case) -> dict:
    model = build(case)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trainable, lr=case.learning_rate, betas=(0.9, 0.95), weight_decay=case.weight_decay
    )
    tokens = torch.from_numpy(case.tokens())
    inputs, targets = tokens[:, :-1], tokens[:, 1:].clone()
    targets[:, : case.prompt_length - 1] = -100
    clock, losses = Clock(), []
    for _ in range(WARM_UP_STEPS + case.num_steps):
        with clock.step():
            total = 0.0
            for rows in torch.arange(case.rows).split(case.microbatch_rows):
                logits = model(input_ids=inputs[rows], use_cache=False).logits
                loss = torch.nn.functional.cross_entropy(
                    logits.float().flatten(0, 1), targets[rows].flatten(), reduction="sum"
                )
                loss = loss / case.rows
                del logits
                loss.backward()
                total += float(loss.detach())
            torch.nn.utils.clip_grad_norm_(trainable, case.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(total)
    return clock.results() | {
        "losses": losses,
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }


if __name__ == "__main__":
    run_worker(measure)
