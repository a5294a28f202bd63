"""Callbacks for the events of a run, some of which may end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.sampling import Progress

Stage: TypeAlias = Literal["generate", "verify", "select", "train", "measure"]


class EndRun(Exception):
    """Raised by a watcher to end a kept run at that point; the message gives the reason."""


class Watcher(NamedTuple):
    """Callbacks for the events of a run, which may raise to stop it.

    A run that is not kept (:func:`jaxgap.improve.self_improve`) reports only stages and progress.

    **Fields:**

    - `on_start`: called with the configuration and the number of checkpoints already done; it may
        raise :class:`EndRun`, as may `on_round`.
    - `on_round`: called with each checkpoint's measurements once they are on disk.
    - `on_stage`: called with the round and the stage as each stage begins. Answering the held-out
        prompts is part of the stage `measure`.
    - `on_progress`: called every few tokens while candidates are sampled.
    - `on_note`: called with one line for each unusual event.
    """

    on_start: Callable[[ImproveConfig, int], None] = lambda config, num_done: None
    on_round: Callable[[RoundMetrics], None] = lambda metrics: None
    on_stage: Callable[[int, Stage], None] = lambda round_index, stage: None
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_note: Callable[[str], None] = lambda line: None


NOBODY = Watcher()
