"""`jaxgap demo`: the whole workflow on the embedded model."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

Preset = Literal["self-verifier", "weak-verifier"]


@dataclasses.dataclass(frozen=True)
class Demo:
    """Watch a language model improve itself, and see the limit that the theory predicts.

    The embedded model adds three-digit numbers, judges its own sums, and trains on those that it
    selects, with no true answer anywhere in its training. The measurements are fitted, the fit of
    the first half is compared with what happened afterwards, and RUN/report.html shows it all.
    """

    preset: Preset = "self-verifier"
    """self-verifier: the model judges carefully, and improves; weak-verifier: it judges as
    carelessly as it adds, and becomes more confident but less accurate."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """The RUN folder to create; by default a new one under runs/."""
    seed: int = 0
    """Seed of all random draws."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the fit of the run, and that of its first half, as JSON to this file."""

    def run(self) -> None:
        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.output import check_outputs, write_json
        from jaxgap.cli.progress import LoopProgress
        from jaxgap.cli.signals import resumable
        from jaxgap.cli.tables import print_fit
        from jaxgap.cli.terminal import Terminal
        from jaxgap.improve import presets
        from jaxgap.improve.runs.kept_run import improve_to_folder
        from jaxgap.report.words import accuracy_sentence, forecast_sentence
        from jaxgap.workflows.host_device import on_host
        from jaxgap.workflows.run_report import write_report

        check_outputs(json=self.json)
        use_compile_cache()
        console = Terminal()
        chosen = {"self-verifier": presets.DEMO, "weak-verifier": presets.WEAK_VERIFIER}
        config = dataclasses.replace(chosen[self.preset], seed=self.seed)
        folder = self.out or _new_folder(self.preset)
        with resumable(folder), LoopProgress(console) as progress:
            improve_to_folder(config, folder, progress.watcher())
        with console.status("fitting and drawing"), on_host():
            path, (run, result, known) = write_report(folder)
        print_fit(console, result)
        if known is not None:
            console.print(forecast_sentence(run, known))
        console.print(accuracy_sentence(run), style="bold")
        halfway = None if known is None else known.to_dict()
        write_json({"run": str(folder), "fit": result.to_dict(), "halfway": halfway}, self.json)
        console.print_line(f"The full report, with figures: {path}")


def _new_folder(name: str) -> Path:
    """The first of runs/NAME, runs/NAME-2, ... that does not exist."""
    number = 1
    while (folder := Path("runs") / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder
