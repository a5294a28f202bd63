"""The display while the loop runs: the stage, and a line for every checkpoint."""

import time

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from jaxgap.cli.option_names import in_options
from jaxgap.cli.terminal import Terminal
from jaxgap.improve.config import ImproveConfig
from jaxgap.improve.measures.metrics import RoundMetrics
from jaxgap.improve.watcher import Stage, Watcher
from jaxgap.sampling import Progress

_SHORTEST = 1.0  # seconds of sampling before a rate is shown
_HEADER = "round    U_s    U_v    gap   sampled acc.   selected acc.   judging acc."


class LoopProgress:
    """A progress bar over the rounds, and above it one line per checkpoint (held-out prompts)."""

    def __init__(self, console: Terminal):
        self._progress = Bar(
            TextColumn("{task.description:>10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("checkpoints"),
            TimeElapsedColumn(),
            TextColumn("so far,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            # Rounds may take hours, so the time left is estimated from all of them.
            speed_estimate_period=float("inf"),
        )
        self._task = self._progress.add_task("setting up", total=None)
        self._stage, self._num_tokens, self._since = "", 0, 0.0
        self._has_header = False

    def __enter__(self) -> "LoopProgress":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def watcher(self) -> Watcher:
        """The watcher that drives the display."""
        return Watcher(self.on_start, self.on_round, self.on_stage, self.on_progress, self.on_note)

    def watcher_of(self, name: str) -> Watcher:
        """The watcher of one of several runs, shown below the run's name."""
        named = False

        def print_name() -> None:
            nonlocal named
            if not named:
                self._progress.console.print(name, style="bold")
            named = True

        def on_start(config: ImproveConfig, num_done: int) -> None:
            print_name()
            self.on_start(config, num_done)

        def on_note(line: str) -> None:
            print_name()
            self.on_note(line)

        return self.watcher()._replace(on_start=on_start, on_note=on_note)

    def on_start(self, config: ImproveConfig, num_done: int) -> None:
        """Set the bar's length and its position."""
        # Only here, since a run that is refused has no table.
        if not self._has_header:
            self._progress.console.print(_HEADER, style="bold")
            self._has_header = True
        # Not an update: the times of a bar that was full, as of a bench's last run, stand still.
        self._progress.reset(self._task, total=config.num_rounds + 1, completed=num_done)
        if num_done:
            planned = f"{num_done} of {config.num_rounds + 1} checkpoints already done"
            self._progress.console.print(planned, style="dim")

    def on_note(self, line: str) -> None:
        """Print a note."""
        self._progress.console.print(in_options(line), style="yellow")

    def on_stage(self, round_index: int, stage: Stage) -> None:
        """Show the stage that begins."""
        del round_index
        self._stage, self._num_tokens, self._since = stage, 0, time.perf_counter()
        self._progress.update(self._task, description=stage)

    def on_progress(self, progress: Progress) -> None:
        """Show how fast candidates are sampled."""
        if progress.num_tokens < self._num_tokens:
            self._since = time.perf_counter()
        self._num_tokens = progress.num_tokens
        seconds = time.perf_counter() - self._since
        if seconds > _SHORTEST:
            rate = f"{progress.num_tokens / seconds:.0f} tokens/s"
            share = f"{progress.num_ended}/{progress.num_completions} ended"
            self._progress.update(self._task, description=f"{self._stage} ({share}, {rate})")

    def on_round(self, metrics: RoundMetrics) -> None:
        """Print a checkpoint's measurements."""
        found = metrics.held_out
        self._progress.console.print(
            f"{metrics.round_index:5d} {found.solver.mean:6.3f} {found.verifier.mean:6.3f} "
            f"{found.gap.mean:6.3f} {found.solver_accuracy.mean:14.1%} "
            f"{found.verifier_accuracy.mean:15.1%} {found.judging_accuracy.mean:14.1%}",
        )
        self._progress.update(self._task, completed=metrics.round_index + 1)
