"""The work of benchmarks/training.py: a model's shape and a batch, for engines of any framework.

Imports only NumPy and the standard library, since it is used in the peers' environments too.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

WARM_UP_STEPS = 2  # PyTorch's first two are slower than the rest


@dataclasses.dataclass(frozen=True)
class Case:
    """An update step on random tokens, in float32, of all parameters or of LoRA adapters.

    The model's shape is SmolLM2-135M's by default. The first `prompt_length` of the `length` tokens
    in each row are the prompt, whose tokens are not predicted. Rows are processed
    `microbatch_rows` at a time, accumulating gradients.
    """

    rows: int = 16
    length: int = 256
    prompt_length: int = 1
    lora_rank: int = 0
    microbatch_rows: int = 2
    num_steps: int = 3
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_layers: int = 30
    num_heads: int = 9
    num_kv_heads: int = 3
    head_dim: int = 64
    vocab_size: int = 49_152
    rope_theta: float = 1e5
    norm_eps: float = 1e-5
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip_norm: float = 1.0

    @property
    def num_tokens(self) -> int:
        """The number of tokens read in one step."""
        return self.rows * self.length

    def tokens(self) -> np.ndarray:
        """Rows with one token more than is read, since the last token is only predicted."""
        rng = np.random.default_rng(0)
        return rng.integers(0, self.vocab_size, (self.rows, self.length + 1))


class Clock:
    """Wall-clock time of each step, and processor time of all threads."""

    def __init__(self):
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []

    @contextmanager
    def step(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds.append(time.perf_counter() - wall)
        self.cpu_seconds.append(time.process_time() - cpu)

    def results(self) -> dict[str, list[float]]:
        """The times without the warm-up steps."""
        return {
            "seconds": self.seconds[WARM_UP_STEPS:],
            "cpu_seconds": self.cpu_seconds[WARM_UP_STEPS:],
        }


def peak_bytes() -> int:
    """The peak memory of this process (Linux)."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def run_worker(measure: Callable[[Case], dict[str, Any]]) -> None:
    """Read a case from the first argument, measure it, and print the result as a line of JSON."""
    case = Case(**json.loads(sys.argv[1]))
    print(json.dumps(measure(case) | {"peak_bytes": peak_bytes()}))
