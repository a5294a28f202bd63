"""One turn of a typical transformers + PyTorch script in benchmarks/round.py.

`generate` with a KV cache; candidates' likelihoods by a forward pass over the rows of a few
prompts at a time; AdamW, clipping and gradient accumulation as in a plain training loop.
"""

import os
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
import transformers  # pyright: ignore[reportMissingImports]
from round_case import Case, Clock, run_worker

ROWS_AT_ONCE = 128


def logprobs(model, sequences, prompt_length: int):
    """Log-probabilities of the completions' tokens."""
    logits = model(input_ids=sequences[:, :-1], use_cache=False).logits[:, prompt_length - 1 :]
    targets = sequences[:, prompt_length:]
    losses = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), reduction="none"
    )
    return -losses.view(targets.shape)


@torch.inference_mode()
def generate(model, case: Case, prompts):
    """Candidates of all prompts, a few prompts at a time."""
    config = transformers.GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        num_return_sequences=case.num_candidates,
        max_new_tokens=case.max_new_tokens,
        pad_token_id=0,
        eos_token_id=None,
    )
    some = prompts.split(ROWS_AT_ONCE // case.num_candidates)
    drawn = [
        model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config)
        for ids in some
    ]
    return torch.cat(drawn)


@torch.inference_mode()
def scores(model, case: Case, sequences):
    """Each candidate's likelihood per token, with fewer rows at a time to save memory."""
    parts = sequences.split(ROWS_AT_ONCE // 4)
    return torch.cat([logprobs(model, part, case.prompt_length).mean(1) for part in parts])


def train(model, optimizer, case: Case, sequences) -> None:
    """One pass over the selected completions."""
    order = torch.randperm(len(sequences))
    for rows in order.split(case.batch_size):
        for part in rows.split(case.microbatch_size):
            total = logprobs(model, sequences[part], case.prompt_length).sum()
            (-total / case.batch_size).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), case.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def work(case: Case, folder: str, clock: Clock) -> dict[str, Any]:
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    prompts = torch.tensor(case.prompts())
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=case.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
    )
    for _ in range(1 + case.num_rounds):
        clock.next_round()
        with clock.stage("generate"):
            model.eval()
            sequences = generate(model, case, prompts)
        with clock.stage("verify"):
            best = scores(model, case, sequences).view(case.num_prompts, -1).argmax(1)
            chosen = sequences.view(case.num_prompts, case.num_candidates, -1)
            chosen = chosen[torch.arange(case.num_prompts), best].clone()
        with clock.stage("train"):
            model.train()
            train(model, optimizer, case, chosen)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    return {"versions": versions}


if __name__ == "__main__":
    run_worker(work)
