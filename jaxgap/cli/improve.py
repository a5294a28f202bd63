"""`jaxgap improve`: the loop alone."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from jaxgap.improve.config import ImproveConfig


@dataclasses.dataclass(frozen=True)
class Improve:
    """Let a language model improve itself, and measure it.

    Each round the model answers the training prompts several times, judges its own answers, and
    trains on those that it selects. On held-out prompts the solver's and the verifier's capability
    are measured, before the first round and after each. RUN then holds config.json, versions.json,
    metrics.jsonl and trajectory.csv, ready for `jaxgap fit` and `jaxgap report`.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="RUN")]
    """The RUN folder to make; it must not hold anything yet."""
    config: tyro.conf.OmitArgPrefixes[ImproveConfig] = ImproveConfig()

    def run(self) -> None:
        from rich.console import Console

        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.progress import LoopProgress
        from jaxgap.improve.run_folder import improve_to_folder

        use_compile_cache()
        console = Console()
        with LoopProgress(console, self.config.num_rounds) as progress:
            improve_to_folder(self.config, self.out, progress.on_round, progress.on_stage)
        console.print(f"Wrote {self.out}. Next: jaxgap report {self.out}", highlight=False)
