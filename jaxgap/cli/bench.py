"""`jaxgap bench`: loops side by side."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgap.improve.config import ImproveConfig, VerifierName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxgap.cli.terminal import Terminal
    from jaxgap.workflows.bench import BenchRow


@dataclasses.dataclass(frozen=True)
class Bench:
    """Run self-improvement loops that differ in model, task, verifier, N, threshold or seed, and
    compare them in one table: rate, ratio and limit of the fitted law, accuracy gained, and tokens,
    operations and seconds for each point of accuracy.

    DIR gets one RUN folder for each combination, bench.json and bench.png. The same command goes on
    where it was interrupted. All other settings are shared.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The folder of the runs; made if it is not there."""
    models: tuple[str, ...] = ()
    """Models to compare, in place of --model."""
    tasks: tuple[str, ...] = ()
    """Tasks to compare, in place of --task."""
    verifiers: tuple[VerifierName, ...] = ()
    """Verifiers to compare, in place of --verifier."""
    candidate_counts: tuple[int, ...] = ()
    """Values of N to compare, in place of --num-candidates."""
    thresholds: tuple[float, ...] = ()
    """Values of sigma to compare, in place of --threshold."""
    seeds: tuple[int, ...] = ()
    """Seeds of each, in place of --seed."""
    config: tyro.conf.OmitArgPrefixes[ImproveConfig] = ImproveConfig()

    def run(self) -> None:
        from jaxgap.cli.compile_cache import use_compile_cache
        from jaxgap.cli.output import write_json, write_output
        from jaxgap.cli.progress import LoopProgress
        from jaxgap.cli.signals import resumable
        from jaxgap.cli.terminal import Terminal
        from jaxgap.report.bench import BenchCurve, draw_bench
        from jaxgap.report.style import to_png
        from jaxgap.workflows.bench import Grid, run_bench

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
        with resumable(self.out), LoopProgress(console) as progress:
            rows = run_bench(grid, self.out, progress.watcher_of)
        _print(console, rows)
        write_json({"runs": [row.to_dict() for row in rows]}, self.out / "bench.json")
        curves = [
            BenchCurve(
                row.name,
                [metrics.held_out.solver_accuracy.mean for metrics in row.metrics],
                row.cost.flops,
                row.gained.mean,
                row.gained.stderr,
            )
            for row in rows
        ]
        write_output(to_png(draw_bench(curves)), self.out / "bench.png")
        console.print_line(f"Wrote {self.out / 'bench.json'} and bench.png")


def _print(console: "Terminal", rows: "Sequence[BenchRow]") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from jaxgap.fitting.fit_report import interval, number

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("run", overflow="fold")
    for heading in ("rate", "ratio", "solver's limit", "accuracy", "points gained"):
        table.add_column(heading, justify="right")
    for heading in ("tokens", "FLOPs", "seconds"):
        table.add_column(f"{heading}\na point", justify="right")
    for row in rows:
        first, last = (row.metrics[i].held_out.solver_accuracy.mean for i in (0, -1))
        limit = row.result.limits["solver"]
        amounts = (row.cost.tokens, row.cost.flops, row.seconds)
        table.add_row(
            row.name,
            number(row.result.parameters["rate"].estimate, 3),
            number(row.result.parameters["ratio"].estimate, 3),
            f"{number(limit.estimate, 3)}\n{interval(limit, 3)}",
            f"{first:.1%}\n{last:.1%}",
            f"{row.gained.mean:+.1f}\n± {2 * row.gained.stderr:.1f}",
            *(_per_point(row.per_point(amount)) for amount in amounts),
        )
    console.print(table)


def _per_point(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:.2g}"
