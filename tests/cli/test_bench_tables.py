"""The tables of a bench: what is marked, what is withheld, and what is said below them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from jaxgap.cli.bench_tables import print_bench
from jaxgap.cli.terminal import Terminal
from jaxgap.fitting import LinearLaw, fit
from jaxgap.improve import ImproveConfig, MeanWithError, RoundMetrics, SplitMetrics
from jaxgap.improve.cost import Cost
from jaxgap.trajectory import Trajectory
from jaxgap.workflows.bench import Bench
from jaxgap.workflows.bench_row import BenchRow

TS = np.arange(10.0)
DECAY = np.exp(-0.5 * TS)
NAMES = [field.name for field in dataclasses.fields(SplitMetrics)]


def fitted(solver, verifier):
    """A fit with the little noise that intervals need."""
    noise = 0.002 * np.random.default_rng(0).standard_normal((2, len(TS)))
    return fit(LinearLaw(), Trajectory(TS, solver + noise[0], verifier + noise[1]))


@pytest.fixture(scope="module")
def lawful():
    return fitted(1 + 2 * DECAY, 0.5 + DECAY)


@pytest.fixture(scope="module")
def unmoved():
    """A run in which nothing happens, so that nothing is known of how fast it does."""
    return fitted(np.full(10, 2.0), np.full(10, 1.5))


def row(name, result, *, last=0.6, seconds=10.0):
    metrics = []
    for index, accuracy in ((0, 0.4), (1, last)):
        split = SplitMetrics(**dict.fromkeys(NAMES, MeanWithError(accuracy, 0.01)))
        metrics.append(RoundMetrics(index, split, split))
    cost = Cost(1.0, 1.0, 1.0, 1e9)
    return BenchRow(name, Path(name), ImproveConfig(), "run", tuple(metrics), result, cost, seconds)


def said_of(capsys, *rows):
    print_bench(Terminal(), Bench(rows, {}))
    return " ".join(capsys.readouterr().out.split())


def test_why_a_run_failed_is_said_in_options(lawful, capsys):
    print_bench(Terminal(), Bench((row("a", lawful),), {"b": "take another `dtype`"}))
    assert "b failed: take another --dtype" in " ".join(capsys.readouterr().out.split())


def test_a_number_that_all_seeds_bound_has_a_mean(lawful, capsys):
    rows = [row("seed0", lawful), row("seed1", lawful)]
    rate = lawful.parameters["rate"].estimate
    assert rate == pytest.approx(0.5, rel=0.1)
    (setting,) = Bench(tuple(rows), {}).means
    assert setting.law["rate"] == (rate, 0.0, 2)
    said = said_of(capsys, *rows)
    assert f"{rate:#.3g} ± 0" in said
    assert "of n" not in said
    assert "*" not in said


def test_no_mean_is_given_of_what_some_seeds_do_not_bound(lawful, unmoved, capsys):
    assert unmoved.parameters["rate"].identifiability != "identifiable"
    rows = [row("seed0", lawful), row("seed1", unmoved)]
    (setting,) = Bench(tuple(rows), {}).means
    assert setting.law["rate"] == (None, None, 1)
    said = said_of(capsys, *rows)
    assert "– (1 of 2)" in said
    assert "(k of n): no mean: only k of the n runs bound this number." in said


def test_pooling_is_advised_where_it_can_help(lawful, unmoved, capsys):
    """Of fewer than two runs that bound a number, jaxgap compare has nothing to pool."""
    rows = [row("seed0", lawful), row("seed1", lawful), row("seed2", unmoved)]
    said = said_of(capsys, *rows)
    assert "– (2 of 3)" in said
    assert "bound this number; jaxgap compare pools 2 or more." in said


def test_a_run_that_the_law_does_not_describe_is_marked(lawful, capsys):
    """By its R² alone, though the diagnosis of the theory has no verdict."""
    doubted = dataclasses.replace(
        lawful,
        r2=dict.fromkeys(lawful.r2, 0.1),
        diagnostics=dataclasses.replace(lawful.diagnostics, autocorrelation_p_value=1e-9),
    )
    assert doubted.diagnosis.verdict is None
    said = said_of(capsys, row("seed0", doubted), row("seed1", lawful))
    assert said.count("†") == 2
    assert "† 0" in said
    assert "†: the law does not describe this run." in said
    assert "†" not in said_of(capsys, row("seed1", lawful))


def test_an_estimate_on_its_bound_is_marked(lawful, capsys):
    on_bound = dataclasses.replace(
        lawful.parameters["ratio"],
        estimate=0.999,
        stderr=None,
        reason="the estimate is on the bound of the allowed range",
        identifiability="practically unidentifiable",
    )
    result = dataclasses.replace(lawful, parameters={**lawful.parameters, "ratio": on_bound})
    said = said_of(capsys, row("seed0", result))
    assert "0.999*" in said
    assert "*: the run does not bound this number." in said


def test_a_fit_that_failed_gives_no_numbers(lawful, capsys):
    failed = dataclasses.replace(lawful, converged=False, stopped="failed: no start")
    said = said_of(capsys, row("seed0", failed))
    assert "– – not fitted" in said


def test_a_question_mark_is_explained_where_there_is_one(lawful, capsys):
    assert "?:" not in said_of(capsys, row("seed0", lawful))
    assert "?:" not in said_of(capsys, row("seed0", lawful, last=0.4))  # nothing gained, no cost
    said = said_of(capsys, row("seed0", lawful, last=0.401))
    assert "30?" in said
    assert "?: the 95% interval of the gain includes zero." in said


def test_a_run_without_seconds_is_named(lawful, capsys):
    said = said_of(capsys, row("seed0", lawful), row("seed1", lawful, seconds=None))
    assert "timings.jsonl of seed1 lacks readable times of some stage" in said
    assert "–" in said
    assert "timings.jsonl" not in said_of(capsys, row("seed0", lawful))
