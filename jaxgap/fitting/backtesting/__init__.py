"""How good forecasts are: a public benchmark over a folder of measured curves.

:func:`backtest` hides the end of every curve, forecasts it, and scores the forecast alongside the
obvious baselines (`baselines`), by proper scoring rules (`scores`).
"""

from jaxgap.fitting.backtesting.backtest import BacktestReport, ScoredForecast, backtest
from jaxgap.fitting.backtesting.baselines import BASELINES, baseline_forecasts
from jaxgap.fitting.backtesting.manifest import (
    ManifestEntry,
    UnreadableEntry,
    manifest_files,
    read_manifest,
)
from jaxgap.fitting.backtesting.scores import crps_of_draws, log_score_of_draws

__all__ = [
    "BASELINES",
    "BacktestReport",
    "ManifestEntry",
    "ScoredForecast",
    "UnreadableEntry",
    "backtest",
    "baseline_forecasts",
    "crps_of_draws",
    "log_score_of_draws",
    "manifest_files",
    "read_manifest",
]
