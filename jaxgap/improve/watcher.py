"""Who is told what happens in a run, and how it may end the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.sampling import Progress

Stage: TypeAlias = Literal["generate", "verify", "select", "train", "measure"]


class EndRun(Exception):
    """Raised by a watcher to end a kept run there, with the reason as its message."""


class Watcher(NamedTuple):
    """Who is told what happens, and may raise to stop the run there.

    A run that is not kept (:func:`jaxgap.improve.self_improve`) tells of stages and progress alone.

    **Fields:**

    - `on_start`: called with the configuration and the number of checkpoints already done; it may
        raise :class:`EndRun`, as may `on_round`.
    - `on_round`: called with each checkpoint's measurements once they are on disk.
    - `on_stage`: called with the round and the stage as each stage begins. Answering the held-out
        prompts is a part of the stage `measure`.
    - `on_progress`: called every few tokens while candidates are sampled.
    - `on_note`: called with a line for everything out of the ordinary.
    """

    on_start: Callable[[ImproveConfig, int], None] = lambda config, num_done: None
    on_round: Callable[[RoundMetrics], None] = lambda metrics: None
    on_stage: Callable[[int, Stage], None] = lambda round_index, stage: None
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_note: Callable[[str], None] = lambda line: None


NOBODY = Watcher()
