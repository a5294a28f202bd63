"""`jaxgap export`: the model of a run, for other tools."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True)
class Export:
    """Export the model of a RUN to a folder that transformers and vLLM can load.

    A run with --lora-rank yields its adapters in PEFT's format, or with --merge the whole model.
    Weights are written in float32, whatever the run's --dtype.
    """

    run_folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The RUN folder, as `jaxgap improve --model ... --out RUN` makes it."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The folder to write; it must be new or empty."""
    round: Annotated[int | None, tyro.conf.arg(metavar="K")] = None
    """Export the checkpoint after K rounds, if it is still kept (the newest few and the most
    accurate one are); by default the newest."""
    merge: bool = False
    """Merge the adapters into the model's weights. Rounded to bfloat16 afterwards, these lose most
    of what a usual learning rate changes."""

    def run(self) -> None:
        from jaxgap.cli.host_platform import compute_on_host
        from jaxgap.cli.signals import terminable
        from jaxgap.cli.terminal import Terminal
        from jaxgap.improve.runs.export import export_run

        compute_on_host()
        console = Terminal()
        with terminable(), console.status("reading the checkpoint"):
            round_index = export_run(
                self.run_folder,
                self.out,
                round_index=self.round,
                merge=self.merge,
                on_note=lambda line: console.print(line, style="yellow"),
            )
        console.print_line(f"Wrote {self.out}, the model after {round_index} rounds")
