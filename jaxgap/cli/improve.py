"""`jaxgap improve`: the loop alone."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgap.cli.processes import Processes
from jaxgap.errors import InputError
from jaxgap.improve.config import ImproveConfig
from jaxgap.run_files import RUN_TABLE

if TYPE_CHECKING:
    from jaxgap.improve.watcher import Watcher

_WITH_RESUME = (
    *("--resume", "--more-rounds", "--stop-when", "--mesh"),
    *("--coordinator", "--num-processes", "--process-id"),
)


@dataclasses.dataclass(frozen=True)
class Improve:
    """Let a language model improve itself, and measure it.

    Each round the model answers the training prompts several times, judges its own answers, and
    trains on those that it selects. On held-out prompts the solver's and the verifier's capability
    are measured, before the first round and after each. RUN then holds config.json, versions.json,
    metrics.jsonl and checkpoints, from which --resume RUN continues an interrupted run as if
    nothing had happened. From the third checkpoint on it also holds trajectory.csv, ready
    for `jaxgap fit` and `jaxgap report`.

    Without --model it is the embedded model on sums. With one, a task goes with it:

        jaxgap improve --model owner/name --task reasoning-gym:chain_sum --out RUN
    """

    out: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """The RUN folder to create; it must be new or empty."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Instead of --out: continue an interrupted run, with its own settings."""
    more_rounds: Annotated[int, tyro.conf.arg(metavar="K")] = 0
    """With --resume: K more rounds than planned. Give it once: each command that has it adds K
    again, while --resume RUN alone continues to the new end."""
    stop_when: Annotated[float | None, tyro.conf.arg(metavar="GAIN")] = None
    """End the run when the forecast expects another round to gain less than GAIN, in nats of the
    solver's uncertainty."""
    config: tyro.conf.OmitArgPrefixes[ImproveConfig] = ImproveConfig()
    processes: tyro.conf.OmitArgPrefixes[Processes] = Processes()
    typed: tyro.conf.Suppress[frozenset[str]] = frozenset()
    """The options that were given, which their values do not tell where they are the defaults."""

    def run(self) -> None:
        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.progress import LoopProgress
        from jaxgap.cli.signals import resumable
        from jaxgap.cli.terminal import Terminal
        from jaxgap.improve.watcher import Watcher
        from jaxgap.sharding import is_first

        folder = self._folder()
        use_compile_cache()
        # In this order, since jax.distributed installs its own SIGTERM handler.
        with self.processes.joined(folder), resumable(folder):
            if not is_first():
                self._improve(folder, Watcher())
                return
            console = Terminal()
            with LoopProgress(console) as progress:
                self._improve(folder, self._judged(progress.watcher(), folder))
            console.print_line(f"Wrote {folder}. {_next(folder)}")

    def _improve(self, folder: Path, watcher: "Watcher") -> None:
        from jaxgap.improve.runs.kept_run import improve_to_folder, resume_folder

        if self.resume is None:
            improve_to_folder(self.config, folder, watcher)
        else:
            is_given = self.config.mesh or "--mesh" in self.typed
            mesh = self.config.mesh if is_given else None
            resume_folder(folder, watcher, more_rounds=self.more_rounds, mesh=mesh)

    def _folder(self) -> Path:
        """The RUN folder.

        **Raises:** `InputError` if the options contradict each other.
        """
        if self.out is not None and self.resume is None:
            if self.more_rounds:
                raise InputError("--more-rounds goes with --resume: use --num-rounds for a new run")
            return self.out
        if self.resume is None:
            raise InputError("name a new folder with --out, or an interrupted run with --resume")
        if self.out is not None:
            raise InputError("give --out for a new run, or --resume for an interrupted one")
        is_changed = self.config != ImproveConfig(mesh=self.config.mesh)
        if is_changed or self.typed.difference(_WITH_RESUME):
            *others, last = (option for option in _WITH_RESUME if option != "--resume")
            raise InputError(
                "with --resume the run's own settings are used: omit all other options except "
                f"{', '.join(others)} and {last}"
            )
        return self.resume

    def _judged(self, watcher: "Watcher", folder: Path) -> "Watcher":
        """The watcher, extended by the stopping rule if one is requested."""
        if self.stop_when is None:
            return watcher
        from jaxgap.workflows.stopping import stop_when_not_worth

        return stop_when_not_worth(watcher, folder, self.stop_when)


def _next(folder: Path) -> str:
    """The advice after a run; a run of a single round has no table to report on."""
    run = shlex.quote(str(folder))
    if (folder / RUN_TABLE).exists():
        return f"Next: jaxgap report {run}"
    return f"A report needs three checkpoints: jaxgap improve --resume {run} --more-rounds 1"
