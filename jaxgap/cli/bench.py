"""`jaxgap bench`: loops side by side."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgap.errors import InputError, RunError
from jaxgap.improve.config import ImproveConfig, VerifierName

if TYPE_CHECKING:
    from jaxgap.report.bench import BenchSetting
    from jaxgap.workflows.bench_setting import Setting

_INSTEAD_OF = {
    "--models": "--model",
    "--tasks": "--task",
    "--verifiers": "--verifier",
    "--candidate-counts": "--num-candidates",
    "--thresholds": "--threshold",
    "--seeds": "--seed",
}


@dataclasses.dataclass(frozen=True)
class Bench:
    """Run and compare loops that differ in model, task, verifier, N, threshold or seed.

    The comparison covers accuracy gained; tokens, operations and seconds per point of accuracy;
    and rate, ratio and limit of the fitted law. With several seeds it includes the mean of each
    setting.

    DIR gets one RUN folder for each combination, bench.json and bench.png. Rerunning the command
    resumes it; rerunning it with a larger grid adds the missing runs. A run that fails is named,
    the others continue, and the exit status is 1; rerunning the command tries it again. All other
    settings are shared.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The folder of the runs; created if it does not exist."""
    models: tuple[str, ...] = ()
    """Models to compare, instead of --model."""
    tasks: tuple[str, ...] = ()
    """Tasks to compare, instead of --task."""
    verifiers: tuple[VerifierName, ...] = ()
    """Verifiers to compare, instead of --verifier."""
    candidate_counts: tuple[int, ...] = ()
    """Values of N to compare, instead of --num-candidates."""
    thresholds: tuple[float, ...] = ()
    """Values of sigma to compare, instead of --threshold."""
    seeds: tuple[int, ...] = ()
    """Seeds to run each setting with, instead of --seed."""
    config: tyro.conf.OmitArgPrefixes[ImproveConfig] = ImproveConfig()
    typed: tyro.conf.Suppress[frozenset[str]] = frozenset()
    """The options that were given, which their values do not tell where they are the defaults."""

    def run(self) -> None:
        from jaxgap.cli.bench_tables import print_bench
        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.output import write_json, write_output
        from jaxgap.cli.progress import LoopProgress
        from jaxgap.cli.signals import resumable
        from jaxgap.cli.terminal import Terminal
        from jaxgap.report.bench import draw_bench
        from jaxgap.report.style import to_png
        from jaxgap.workflows.bench import failure_line, run_bench
        from jaxgap.workflows.bench_checks import PICTURE, TABLE
        from jaxgap.workflows.bench_grid import Grid

        self._check_varied()
        grid = Grid(
            self.config,
            self.models,
            self.tasks,
            self.verifiers,
            self.candidate_counts,
            self.thresholds,
            self.seeds,
        )
        use_compile_cache()
        console = Terminal()
        with _resumed_by_rerun(), resumable(self.out), LoopProgress(console) as progress:
            found = run_bench(grid, self.out, progress.watcher_of)
        print_bench(console, found)
        write_json(found.to_dict(), self.out / TABLE)
        figure = draw_bench([*map(_drawn, found.settings)])
        write_output(to_png(figure), self.out / PICTURE)
        console.print_line(f"Wrote {self.out / TABLE} and {PICTURE}")
        if found.failed:
            raise RunError(
                f"{len(found.failed)} of {len(found.failed) + len(found.rows)} runs failed; rerun "
                f"the command to try them again: {failure_line(found.failed)}"
            )

    def _check_varied(self) -> None:
        """Refuse what is varied twice, with no value, or with a value that is repeated.

        **Raises:** `InputError`.
        """
        from jaxgap.trajectory.outside import repeated

        for several, one in _INSTEAD_OF.items():
            if {several, one} <= self.typed:
                raise InputError(f"give {several}, which may be a single one, or {one}, not both")
            values = getattr(self, several.removeprefix("--").replace("-", "_"))
            if several in self.typed and not values:
                raise InputError(f"{several} needs at least one value")
            twice = repeated(map(str, values))
            if twice is not None:
                raise InputError(f"{several}: {twice} is given twice; give each value once")


def _drawn(setting: Setting) -> BenchSetting:
    """The part of a setting that the figure shows."""
    from jaxgap.report.bench import BenchCurve, BenchSetting

    seeds = [
        BenchCurve(
            [metrics.held_out.solver_accuracy.mean for metrics in row.metrics],
            row.cost.flops,
            row.gained.mean,
        )
        for row in setting.rows
    ]
    return BenchSetting(setting.name, seeds, setting.gained.reach)


@contextlib.contextmanager
def _resumed_by_rerun() -> Iterator[None]:
    """Say how to resume a bench that is interrupted."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise type(stop)(f"{stop}; rerun the command to resume") from None
