"""The work of benchmarks/round.py: one round of generate, verify, train, for engines of any kind.

Imports only NumPy and the standard library, since it is used in the peers' environment too.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

STAGES = ("generate", "verify", "train")


@dataclasses.dataclass(frozen=True)
class Case:
    """Candidates at temperature 1, scored by the model's own likelihood; the best are trained on.

    Prompts are random tokens. End tokens are ignored, so that all engines do the same work. The
    best candidate of each prompt, with the prompt masked, is trained on once, in float32, by AdamW
    on all parameters.
    """

    num_prompts: int = 32
    num_candidates: int = 8
    prompt_length: int = 45
    max_new_tokens: int = 32
    batch_size: int = 16
    microbatch_size: int = 4
    learning_rate: float = 1e-5
    clip_norm: float = 1.0
    num_rounds: int = 1

    def prompts(self) -> list[list[int]]:
        """Token ids, all of the same length."""
        rng = np.random.default_rng(0)
        # From 100 on, since the first ids are special tokens.
        return rng.integers(100, 49_152, (self.num_prompts, self.prompt_length)).tolist()


class Clock:
    """Wall-clock and processor time of each stage of each round."""

    def __init__(self):
        self.rounds: list[dict[str, float]] = []

    def next_round(self) -> None:
        """Begin the next round."""
        self.rounds.append({})

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.rounds[-1][name] = time.perf_counter() - wall
        self.rounds[-1][f"{name}_processor"] = time.process_time() - processor


def run_worker(work: Callable[[Case, str, Clock], dict[str, Any]]) -> None:
    """Read a case and a model's folder from the arguments; print the rounds as a line of JSON.

    The first round is a warm-up, reported separately.
    """
    clock = Clock()
    versions = work(Case(**json.loads(sys.argv[1])), sys.argv[2], clock)
    print(json.dumps({"warm_up": clock.rounds[0], "rounds": clock.rounds[1:], **versions}))
