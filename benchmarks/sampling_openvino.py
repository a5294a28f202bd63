"""One turn of OpenVINO GenAI in benchmarks/sampling.py: continuous batching in float32."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino  # pyright: ignore[reportMissingImports]
import openvino_genai  # pyright: ignore[reportMissingImports]
from sampling_case import Case, measure, run_worker


def settings(case: Case, length: int, num_sequences: int, seed: int):
    config = openvino_genai.GenerationConfig()
    config.do_sample = True
    config.temperature = 1.0
    config.top_p = 1.0
    config.max_new_tokens = length
    config.ignore_eos = True
    config.num_return_sequences = num_sequences
    config.rng_seed = seed
    return config


def requests(case: Case, seed: int) -> list[tuple[list[int], Any]]:
    """One request per prompt, or per completion if their lengths differ."""
    pairs = list(zip(case.prompts(seed), case.limits(), strict=True))
    if not case.uneven:
        return [
            (ids, settings(case, int(limits[0]), case.num_candidates, seed))
            for ids, limits in pairs
        ]
    return [
        (ids, settings(case, int(limit), 1, seed * 1000 + candidate))
        for ids, limits in pairs
        for candidate, limit in enumerate(limits)
    ]


def work(case: Case, folder: str) -> dict[str, Any]:
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.max_num_seqs = case.rows_at_once
    scheduler.max_num_batched_tokens = max(512, case.rows_at_once)
    scheduler.cache_size = 2
    properties = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
    pipeline = openvino_genai.ContinuousBatchingPipeline(
        str(Path(folder).with_name("openvino")), scheduler, "CPU", properties
    )

    def generate(seed: int, most_requests: int | None = None) -> int:
        inputs, configs = zip(*requests(case, seed)[:most_requests], strict=True)
        tensors = [openvino.Tensor(np.array([ids], np.int64)) for ids in inputs]
        results = pipeline.generate(tensors, list(configs))
        return sum(len(ids) for result in results for ids in result.m_generation_ids)

    versions = {"openvino_genai": openvino_genai.__version__}
    return measure(case, generate, lambda: generate(0, case.num_rows)) | {"versions": versions}


if __name__ == "__main__":
    run_worker(work)
