r"""The backtest: forecast the end of every curve from its beginning, and score the forecasts.

From the first $n = \max(3, \lfloor pN + \tfrac12 \rfloor)$ of a curve's $N$ rows, for each prefix
$p$, the mean of the solver over the last $k$ rows is forecast; $k$ is 5 for curves of 15 rows or
more, else 1. Shorter curves enter once, at $n = \max(3, \lceil 0.6 N \rceil)$. If the prefix would
overlap the rows to be forecast, the curve is left out and counted. A forecast sees the prefix and
the times of the target rows, nothing else. All numbers are in the file's own unit (nats, fractions
or percent); scores are averaged within one unit only.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from jaxgap.errors import InputError
from jaxgap.fitting.backtesting.baselines import BASELINES, baseline_forecasts
from jaxgap.fitting.backtesting.manifest import ManifestEntry, UnreadableEntry, read_manifest
from jaxgap.fitting.backtesting.scores import crps_of_draws, log_score_of_draws
from jaxgap.fitting.forecasting import forecast_average
from jaxgap.trajectory import Kind, Trajectory

PREFIXES = (0.2, 0.3, 0.5)
_LONG, _NUM_TARGET_ROWS = 15, 5
_SHORT_PREFIX = 0.6
# Why a readable run is not forecast.
TOO_SHORT = "the prefix reaches into the rows to forecast"
_LEVEL = 0.9
# Guards floor and ceiling against 0.6 * 5 = 3.0000000000000004.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class ScoredForecast:
    """One forecast of one curve from one prefix, the truth, and the baselines' forecasts."""

    file: str
    kind: Kind
    unit: str
    prefix: float
    num_rows: int
    truth: float
    forecast: float
    interval: tuple[float, float]
    baselines: dict[str, float]
    crps: float
    log_score: float

    @property
    def covered(self) -> bool:
        """Whether the interval contains the truth."""
        return self.interval[0] <= self.truth <= self.interval[1]

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form."""
        return dataclasses.asdict(self) | {"interval": list(self.interval)}


@dataclasses.dataclass(frozen=True)
class BacktestReport:
    """Every scored forecast, the curves that were left out, and summaries.

    - `level`: of the intervals.
    - `series`: by curve and prefix.
    - `left_out`: file, prefix and reason of each case not forecast; the prefix is `None` for a file
        that could not be read.
    """

    level: float
    series: tuple[ScoredForecast, ...]
    left_out: tuple[dict[str, Any], ...]

    @property
    def coverage(self) -> float | None:
        """The fraction of all intervals that contain the truth."""
        return _mean(scored.covered for scored in self.series)

    def summaries(self) -> list[dict[str, Any]]:
        """One summary for every folder of files, unit and prefix."""
        groups: dict[tuple[str, Kind, str, float], list[ScoredForecast]] = {}
        for scored in self.series:
            group = str(PurePosixPath(scored.file).parent)
            key = (group, scored.kind, scored.unit, scored.prefix)
            groups.setdefault(key, []).append(scored)
        return [
            {"group": group, "kind": kind, "unit": unit, "prefix": prefix} | summarise(members)
            for (group, kind, unit, prefix), members in sorted(groups.items())
        ]

    def to_dict(self) -> dict[str, Any]:
        """The public JSON form, in which nothing is NaN or infinite."""
        return {
            "level": self.level,
            "coverage": self.coverage,
            "num_series": len(self.series),
            "num_left_out": len(self.left_out),
            "summaries": self.summaries(),
            "left_out": [dict(entry) for entry in self.left_out],
            "series": [scored.to_dict() for scored in self.series],
        }


def summarise(members: Sequence[ScoredForecast]) -> dict[str, Any]:
    """Mean scores of forecasts and baselines; a point forecast's CRPS is its absolute error."""
    errors = {
        name: _mean(abs(scored.baselines[name] - scored.truth) for scored in members)
        for name in BASELINES
    }
    return {
        "num": len(members),
        "mae": {"forecast": _mean(abs(s.forecast - s.truth) for s in members)} | errors,
        "crps": {"forecast": _mean(s.crps for s in members)} | errors,
        "log_score": _mean(s.log_score for s in members),
        "coverage": _mean(s.covered for s in members),
        "width": _mean(s.interval[1] - s.interval[0] for s in members),
    }


def backtest(
    folder: str | Path, prefixes: Sequence[float] = PREFIXES, *, key: PRNGKeyArray
) -> BacktestReport:
    """Forecast every curve in a folder's manifest, and score the forecasts.

    **Arguments:**

    - `folder`: with a `manifest.csv` of `file, kind, n, time_unit, source`.
    - `prefixes`: fractions of a curve to forecast from, in (0, 1).
    - `key`: from `jax.random.key`; the same key gives the same report.

    **Returns:**

    A :class:`BacktestReport` with 90 % intervals.

    **Raises:**

    `InputError` (a `ValueError`) for prefixes outside (0, 1) or given twice, for a folder or
    manifest that cannot be read, and if no curve can be forecast.
    """
    if not prefixes or not all(0 < prefix < 1 for prefix in prefixes):
        raise InputError(f"prefixes must lie between 0 and 1, got {list(prefixes)}")
    if len(set(prefixes)) < len(prefixes):
        raise InputError(f"prefixes must differ, got {list(prefixes)}")
    entries = read_manifest(folder)
    scored: list[ScoredForecast] = []
    left_out: list[dict[str, Any]] = [
        {"file": entry.file, "prefix": None, "reason": entry.problem}
        for entry in entries
        if isinstance(entry, UnreadableEntry)
    ]
    for entry_index, entry in enumerate(entries):
        if isinstance(entry, UnreadableEntry):
            continue
        entry_key = jax.random.fold_in(key, entry_index)
        for prefix in _prefixes_of(entry.run, prefixes):
            num_seen = rows_seen(entry.run.num_rows, prefix)
            where = {"file": entry.file, "prefix": prefix}
            num_target = _num_target_rows(entry.run.num_rows)
            if num_seen + num_target > entry.run.num_rows:
                left_out.append(where | {"reason": TOO_SHORT})
                continue
            try:
                scored.append(_score(entry, prefix, entry_key))
            except InputError as error:
                left_out.append(where | {"reason": str(error)})
    if not scored:
        raise _no_forecast(folder, left_out)
    return BacktestReport(_LEVEL, tuple(scored), tuple(left_out))


def _no_forecast(folder: str | Path, left_out: Sequence[dict[str, Any]]) -> InputError:
    """The error where no curve can be forecast: the first reason, and how many more there are."""
    first = left_out[0]
    problem = first["reason"]
    if first["prefix"] is not None:
        where = f"{Path(folder) / first['file']}: no forecast from {first['prefix']:g} of its rows"
        problem = f"{where}: {problem}"
    more = f" (and {len(left_out) - 1} more left out)" if len(left_out) > 1 else ""
    return InputError(problem + more)


def rows_seen(num_rows: int, prefix: float) -> int:
    """How many rows a prefix of a curve has.

    >>> rows_seen(26, 0.2), rows_seen(5, 0.6), rows_seen(6, 0.6)
    (5, 3, 4)
    """
    if num_rows < _LONG:
        return max(3, math.ceil(prefix * num_rows - _ROUNDING))
    return max(3, math.floor(prefix * num_rows + 0.5 + _ROUNDING))


def _prefixes_of(run: Trajectory, prefixes: Sequence[float]) -> Sequence[float]:
    return prefixes if run.num_rows >= _LONG else (_SHORT_PREFIX,)


def _num_target_rows(num_rows: int) -> int:
    return _NUM_TARGET_ROWS if num_rows >= _LONG else 1


def _score(entry: ManifestEntry, prefix: float, key: PRNGKeyArray) -> ScoredForecast:
    run, scale = entry.run, entry.scale
    num_target = _num_target_rows(run.num_rows)
    seen = run.head(rows_seen(run.num_rows, prefix))
    target_ts = run.ts[-num_target:]
    truth = scale * float(run.solver[-num_target:].mean())
    predictive = forecast_average(seen, target_ts, key=key, level=_LEVEL)
    baselines = baseline_forecasts(seen, target_ts)
    draws = scale * predictive.draws
    low, high = predictive.interval
    return ScoredForecast(
        file=entry.file,
        kind=run.kind,
        unit=entry.unit,
        prefix=prefix,
        num_rows=run.num_rows,
        truth=truth,
        forecast=scale * predictive.median,
        interval=(scale * low, scale * high),
        baselines={name: scale * value for name, value in baselines.items()},
        crps=crps_of_draws(draws, truth),
        log_score=log_score_of_draws(draws, truth),
    )


def _mean(numbers: Iterable[float]) -> float | None:
    """The mean, or `None` if empty."""
    numbers = list(numbers)
    return float(np.mean(numbers)) if numbers else None
