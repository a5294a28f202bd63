"""The backtest's protocol, recomputed from its definition for curves of every length."""

import importlib
from fractions import Fraction

import jax
import numpy as np
import pytest

from jaxgap.fitting.backtesting import BASELINES, backtest
from jaxgap.fitting.forecasting import Predictive

PREFIXES = [0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.75, 0.9]
LENGTHS = range(3, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("curves")
    lines = ["file,kind,n,time_unit,source"]
    for num_rows in LENGTHS:
        values = curve(num_rows)
        rows = "".join(f"{t},{value}\n" for t, value in enumerate(values))
        (path / f"{num_rows}.csv").write_text("t,solver\n" + rows)
        lines.append(f"{num_rows}.csv,accuracy,,step,made here")
    (path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return path


def curve(num_rows):
    return np.random.default_rng(num_rows).random(num_rows)


def expected(num_rows):
    """(prefix, rows seen, rows of the target) by the definition, in exact arithmetic."""
    if num_rows < 15:
        tried = [(0.6, max(3, -(-6 * num_rows // 10)))]
    else:
        tried = [(p, max(3, int(Fraction(str(p)) * num_rows + Fraction(1, 2)))) for p in PREFIXES]
    k = 5 if num_rows >= 15 else 1
    kept = [(p, n, k) for p, n in tried if n + k <= num_rows]
    return kept, [p for p, n in tried if n + k > num_rows]


def test_what_is_seen_what_is_forecast_and_what_is_left_out(folder, monkeypatch):
    """Without forecasts, which are looked at elsewhere: the rows seen stand in for them."""
    seen = {}

    def record(run, ts, *, key, level):
        del key
        seen.setdefault(round(float(ts[-1])) + 1, []).append((run.num_rows, len(ts)))
        np.testing.assert_array_equal(run.solver, curve(round(float(ts[-1])) + 1)[: run.num_rows])
        return Predictive.of_draws(np.array([0.0, 0.5, 1.0]), level)

    def last(run, ts):
        return dict.fromkeys(BASELINES, run.solver[-1])

    # The package's function of that name hides the module from an attribute's path.
    module = importlib.import_module("jaxgap.fitting.backtesting.backtest")
    monkeypatch.setattr(module, "forecast_average", record)
    monkeypatch.setattr(module, "baseline_forecasts", last)
    form = backtest(folder, PREFIXES, key=jax.random.key(0)).to_dict()
    for num_rows in LENGTHS:
        kept, left_out = expected(num_rows)
        name = f"{num_rows}.csv"
        entries = [entry for entry in form["series"] if entry["file"] == name]
        assert [entry["prefix"] for entry in entries] == [p for p, _, _ in kept]
        assert seen.get(num_rows, []) == [(n, k) for _, n, k in kept]
        for entry, (_, n, k) in zip(entries, kept, strict=True):
            assert entry["num_rows"] == num_rows
            assert entry["truth"] == pytest.approx(curve(num_rows)[-k:].mean())
            assert entry["baselines"]["last"] == curve(num_rows)[n - 1]
            assert {"forecast", "interval", "baselines"} <= set(entry)
        assert [e["prefix"] for e in form["left_out"] if e["file"] == name] == left_out
    assert form["num_left_out"] == len(form["left_out"]) > 0
