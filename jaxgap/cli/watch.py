"""`jaxgap watch`: the analysis of a run's curve while the run is under way."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.cli.options import random_key
from jaxgap.errors import InputError

_MAX_EVERY = 86_400.0


@dataclasses.dataclass(frozen=True)
class Watch:
    """Watch a run while another process works on it.

    At each new checkpoint the law is fitted and the rest of the run is forecast: the limit with its
    interval, the rounds left until then, and whether another round is worthwhile. The command ends
    with the run.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The RUN folder of jaxgap improve."""
    every: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 2.0
    """How often to look for new checkpoints."""
    once: bool = False
    """Look once, print, and exit."""
    cost: Annotated[float | None, tyro.conf.arg(metavar="GAIN")] = None
    """Smallest gain that makes another round worthwhile, in nats."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = 0.9
    """Coverage of the intervals, between 0 and 1."""
    seed: int = 0
    """Seed of the forecast's random draws."""

    def run(self) -> None:
        import time

        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.quick_compilation import compile_quickly
        from jaxgap.cli.run_status import print_head, print_status
        from jaxgap.cli.terminal import Terminal
        from jaxgap.workflows.watching import read_status

        if not 0 < self.every <= _MAX_EVERY:
            raise InputError(
                "--every must be a number of seconds above 0 and at most "
                f"{_MAX_EVERY:g}, a day, got {self.every:g}"
            )
        compute_on_host()
        compile_quickly()
        key = random_key(self.seed)
        console = Terminal()
        num_shown = -1
        while True:
            status = read_status(self.folder, key=key, level=self.level, cost=self.cost)
            if status.num_done != num_shown:
                print_status(console, status)
                num_shown = status.num_done
            elif not status.at_work and status.num_done < status.num_asked:
                print_head(console, status)
            if self.once or not status.at_work or console.quiet:
                return
            time.sleep(self.every)
