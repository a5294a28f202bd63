"""Engines that do the same work, timed alternately, so that machine drift affects them all alike.

A shared or throttled machine drifts by a factor of two within minutes. Timing A B C A B C ... and
comparing only within a round keeps that out of the ratios; their spread shows what remains.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

_SHORTEST = 0.3


@dataclass
class Engine:
    """An engine that fits the curves with the given indices and returns their parameters.

    `whole` says whether it fits all curves at once; if not, each round gives it another share, so
    that it has fitted each curve once after the last round. `processor_time` is the clock of the
    process that does the work.
    """

    name: str
    fit: Callable[[np.ndarray], np.ndarray]
    whole: bool
    processor_time: Callable[[], float] = time.process_time
    compile_seconds: float = 0.0
    fits_per_second: list[float] = field(default_factory=list)
    cores_used: list[float] = field(default_factory=list)
    solutions: dict[int, np.ndarray] = field(default_factory=dict)


def interleave(engines: Sequence[Engine], num_curves: int, num_rounds: int) -> None:
    """Time every engine once per round; each keeps its rates and its solutions."""
    for engine in engines:
        first = np.arange(num_curves) if engine.whole else np.arange(1)
        start = time.perf_counter()
        engine.fit(first)
        elapsed = time.perf_counter() - start
        # The first call's time is recorded only for engines that compile.
        engine.compile_seconds = elapsed if engine.whole else 0.0
    for share in np.array_split(np.arange(num_curves), num_rounds):
        for engine in engines:
            _time(engine, np.arange(num_curves) if engine.whole else share)


def _time(engine: Engine, indices: np.ndarray) -> None:
    num_fits = 0
    solutions = np.empty(0)
    start, cpu_start = time.perf_counter(), engine.processor_time()
    while time.perf_counter() - start < _SHORTEST:
        solutions = engine.fit(indices)
        num_fits += len(indices)
    elapsed, cpu = time.perf_counter() - start, engine.processor_time() - cpu_start
    engine.fits_per_second.append(num_fits / elapsed)
    engine.cores_used.append(cpu / elapsed)
    engine.solutions |= dict(zip(indices.tolist(), list(solutions), strict=True))


def paired_ratio(engine: Engine, peer: Engine) -> dict[str, float]:
    """How many times faster than the peer, round by round: median, lowest and highest."""
    ratios = np.array(engine.fits_per_second) / np.array(peer.fits_per_second)
    return {
        "median": float(np.median(ratios)),
        "lowest": float(ratios.min()),
        "highest": float(ratios.max()),
    }
