"""One turn of transformers' `generate` in benchmarks/sampling.py, with its KV cache."""

import os
from typing import Any

import torch  # pyright: ignore[reportMissingImports]
import transformers  # pyright: ignore[reportMissingImports]
from sampling_case import Case, measure, run_worker


class Limits(transformers.StoppingCriteria):
    """Stops each row at its own length."""

    def __init__(self, limits: torch.Tensor, prompt_length: int):
        self._ends = limits + prompt_length

    def __call__(self, input_ids, scores, **kwargs):
        return input_ids.shape[1] >= self._ends


def work(case: Case, folder: str) -> dict[str, Any]:
    torch.set_num_threads(os.cpu_count() or 1)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    limits = torch.tensor(case.limits())
    at_once = max(1, case.rows_at_once // case.num_candidates)

    def generate_some(prompts: list[list[int]], first: int) -> int:
        some = prompts[first : first + at_once]
        width = max(map(len, some))
        input_ids = torch.tensor([[0] * (width - len(ids)) + ids for ids in some])
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in some])
        ends = limits[first : first + at_once].flatten()
        config = transformers.GenerationConfig(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=case.num_candidates,
            max_new_tokens=int(ends.max()),
            pad_token_id=0,
            eos_token_id=None,
        )
        drawn = model.generate(
            input_ids=input_ids,
            attention_mask=mask,
            generation_config=config,
            stopping_criteria=transformers.StoppingCriteriaList([Limits(ends, width)]),
        )
        steps = torch.full((len(drawn),), drawn.shape[1] - width)
        return int(torch.minimum(steps, ends).sum())

    @torch.inference_mode()
    def generate(seed: int, num_prompts: int = case.num_prompts) -> int:
        torch.manual_seed(seed)
        prompts = case.prompts(seed)
        return sum(generate_some(prompts, first) for first in range(0, num_prompts, at_once))

    model.generation_config.eos_token_id = None
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    return measure(case, generate, lambda: generate(0, at_once)) | {"versions": versions}


if __name__ == "__main__":
    run_worker(work)
