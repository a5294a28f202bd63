"""The work of benchmarks/sampling.py for any engine: prompts and numbers of tokens to sample.

Imports only NumPy and the standard library, since it is used in the peers' environments too.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Case:
    """Candidates sampled at temperature 1, with the same lengths for all engines.

    The prompts are random tokens, `prompt_length` of them plus or minus a tenth. Every seed
    gives other prompts of the same lengths: in a loop the weights change before a prompt is
    read again, so a cached prefix would be useless. A completion has `max_new_tokens`
    tokens, or any number up to that if `uneven`. End tokens are ignored, so that every
    engine does the same work.
    """

    num_prompts: int
    num_candidates: int
    max_new_tokens: int
    uneven: bool = False
    prompt_length: int = 45
    rows_at_once: int = 128
    num_layers: int = 30
    num_turns: int = 1

    def prompts(self, seed: int) -> list[list[int]]:
        """Token ids."""
        spread = self.prompt_length // 10
        offsets = np.random.default_rng(0).integers(-spread, spread + 1, self.num_prompts)
        lengths = self.prompt_length + offsets
        rng = np.random.default_rng((1, seed))
        # From 100 on, since the first ids are special tokens.
        return [rng.integers(100, 49_152, max(1, length)).tolist() for length in lengths]

    def limits(self) -> np.ndarray:
        """The number of tokens of each completion."""
        shape = (self.num_prompts, self.num_candidates)
        if not self.uneven:
            return np.full(shape, self.max_new_tokens)
        return np.random.default_rng(1).integers(1, self.max_new_tokens + 1, shape)

    @property
    def num_rows(self) -> int:
        """The number of completions sampled together."""
        return min(self.rows_at_once, self.num_prompts * self.num_candidates)

    @property
    def num_tokens(self) -> int:
        """The number of tokens to sample."""
        return int(self.limits().sum())


CASES = {
    "8x16x32": Case(8, 16, 32, num_turns=3),
    "64x16x128": Case(64, 16, 128, uneven=True),
}


def resident_bytes() -> int:
    """The resident memory of this process (Linux)."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """The peak memory of this process since :func:`forget_peak` (Linux)."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Reset the peak memory."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(name))
    return 1024 * int(line.split()[1])


def measure(
    case: Case, generate: Callable[[int], int], warm_up: Callable[[], object]
) -> dict[str, Any]:
    """Warm up once, then run as often as the case says, and count the sampled tokens.

    `generate` takes a seed and returns the number of tokens.
    """
    forget_peak()
    start = time.perf_counter()
    warm_up()
    warm_up_seconds = time.perf_counter() - start
    seconds, processor = [], []
    for seed in range(1, 1 + case.num_turns):
        start, processor_start = time.perf_counter(), time.process_time()
        num_tokens = generate(seed)
        seconds.append(time.perf_counter() - start)
        processor.append(time.process_time() - processor_start)
        if num_tokens != case.num_tokens:
            raise SystemExit(f"sampled {num_tokens} tokens instead of {case.num_tokens}")
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "warm_up_seconds": warm_up_seconds,
        "peak_bytes": peak_bytes(),
    }


def run_worker(work: Callable[[Case, str], dict[str, Any]]) -> None:
    """Read a case and a model's folder from the arguments; print the result as a line of JSON."""
    case = Case(**json.loads(sys.argv[1]))
    print(json.dumps(work(case, sys.argv[2])))
