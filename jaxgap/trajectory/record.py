"""The record itself: arrays over the measured times, their meaning, and their validation."""

import dataclasses
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from jaxgap.errors import InputError
from jaxgap.trajectory.percent import looks_like_percent

Kind = Literal["uncertainty", "accuracy"]

MIN_ROWS = 3
TIME_UNITS = ("step", "epoch", "round", "iteration", "token", "hour", "minute", "second")
# No mean of values in [0, 1] has a larger standard error.
LARGEST_ERROR = 0.5
# No test set has more, and larger counts are not exact in floating point.
_MAX_ITEMS = 10**15

# The columns that a fit uses, besides the times.
CAPABILITIES = ("solver", "verifier", "solver_se", "verifier_se")

Series = Float[np.ndarray, " T"]


class TrajectoryError(InputError):
    """An unusable trajectory: what is wrong, in which column and row, and what to do.

    `column` and `row` (0-based) are `None` where the fault has no single place. `hint` is advice at
    the end of the message, which a reader of files may replace. File readers re-raise the error
    with the file's name and line in front.
    """

    def __init__(
        self, problem: str, column: str | None = None, row: int | None = None, hint: str = ""
    ):
        self.problem = problem
        self.column = column
        self.row = row
        self.hint = hint
        where = "" if column is None else f"column '{column}'"
        where += "" if row is None else f", row {row + 1}"
        super().__init__((f"{where}: {problem}" if where else problem) + hint)


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Trajectory:
    r"""The measured capabilities of one model over the rounds of a self-improvement run.

    For the kind `"uncertainty"`, `solver` and `verifier` hold the mean total negative
    log-likelihoods $U_s(t)$ and $U_v(t)$ in nats (lower is more capable); for `"accuracy"`,
    fractions in [0, 1] (higher is more capable).

    **Arguments:**

    - `ts`: the times of measurement, shape `(T,)`, strictly increasing, `T >= 3`, in `time_unit`s.
    - `solver`: the solver's capability at each time, shape `(T,)`.
    - `verifier`: the verifier's, shape `(T,)`, or `None` for a series of the solver alone.
    - `solver_se`, `verifier_se`: standard errors, shape `(T,)`, not negative, or `None`. Where
        given, they weight the fit. Most of those of an accuracy are at most 1/2, as no mean of
        values in [0, 1] has a larger one.
    - `extra`: further measurements by name, each of shape `(T,)`; NaN where not measured.
    - `kind`: `"uncertainty"` or `"accuracy"`.
    - `num_items`: for accuracies, the number of test items behind each, if known; the noise is then
        binomial.
    - `time_unit`: the unit of `ts`: `"epoch"`, `"round"`, `"step"`. The plural of a common unit
        (`"steps"`) becomes the singular.
    - `provenance`: where the numbers come from, as JSON-like values.

    **Raises:**

    `TrajectoryError` (a `ValueError`) naming the column and row, if any of this is violated.

    **Example:**

    >>> run = Trajectory(ts=[0, 1, 2], solver=[3.0, 2.0, 1.5], verifier=[2.0, 1.5, 1.25])
    >>> run.gap.tolist()
    [1.0, 0.5, 0.25]

    The definitions are those of Sun et al. (arXiv:2507.00075v4), section 3.
    """

    ts: Series
    solver: Series
    verifier: Series | None
    solver_se: Series | None
    verifier_se: Series | None
    extra: Mapping[str, Series]
    kind: Kind
    num_items: int | None
    time_unit: str
    provenance: Mapping[str, Any]

    def __init__(
        self,
        ts: ArrayLike,
        solver: ArrayLike,
        verifier: ArrayLike | None = None,
        solver_se: ArrayLike | None = None,
        verifier_se: ArrayLike | None = None,
        extra: Mapping[str, ArrayLike] | None = None,
        kind: Kind = "uncertainty",
        num_items: int | None = None,
        time_unit: str = "epoch",
        provenance: Mapping[str, Any] | None = None,
    ):
        columns = {
            "ts": ts,
            "solver": solver,
            "verifier": verifier,
            "solver_se": solver_se,
            "verifier_se": verifier_se,
        }
        for name, values in columns.items():
            object.__setattr__(self, name, None if values is None else _frozen(values, name))
        frozen = {name: _frozen(values, name) for name, values in (extra or {}).items()}
        object.__setattr__(self, "extra", MappingProxyType(frozen))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "num_items", _whole(num_items))
        object.__setattr__(self, "time_unit", in_singular(time_unit))
        object.__setattr__(self, "provenance", MappingProxyType(dict(provenance or {})))
        _check(self)

    @property
    def num_rows(self) -> int:
        """The number of measured times, `T`."""
        return len(self.ts)

    @property
    def gap(self) -> Series | None:
        r"""The gap at each time, or `None` without a verifier.

        $G = U_s - U_v$ for uncertainties; `verifier - solver` for accuracies. In both cases it is
        positive where the verifier is more capable than the solver.
        """
        if self.verifier is None:
            return None
        sign = 1.0 if self.kind == "uncertainty" else -1.0
        return sign * (self.solver - self.verifier)

    def head(self, num_rows: int) -> "Trajectory":
        """The first `num_rows` rows as a trajectory of their own."""
        return self._rows(slice(num_rows))

    def between(self, t0: float, t1: float) -> "Trajectory":
        """The rows from time `t0` to time `t1`, both included, as a trajectory of their own.

        **Raises:** `InputError` if there are fewer than three.

        **Example:**

        >>> Trajectory([0, 1, 2, 3], [9.0, 7.0, 6.0, 5.5]).between(1, 3).solver.tolist()
        [7.0, 6.0, 5.5]
        """
        kept = (self.ts >= t0) & (self.ts <= t1)
        if kept.sum() < MIN_ROWS:
            raise InputError(
                f"{kept.sum()} of {self.num_rows} rows lie between the times {t0:g} and {t1:g}: "
                f"at least {MIN_ROWS} are needed"
            )
        return self._rows(kept)

    def _rows(self, rows: "slice | np.ndarray") -> "Trajectory":
        kept = {name: values[rows] for name, values in self.columns().items()}
        core = {name: kept.pop(name) for name in _CORE if name in kept}
        return self.replace(**core, extra=kept)

    def replace(self, **changes: Any) -> "Trajectory":
        """A copy with the given fields changed, validated again."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Trajectory(**(fields | changes))

    def columns(self) -> dict[str, Series]:
        """Every array that is present, by name, in the column order of files."""
        core = {name: getattr(self, name) for name in _CORE}
        return {name: values for name, values in core.items() if values is not None} | dict(
            self.extra
        )

    def metadata(self) -> dict[str, Any]:
        """All fields that are not arrays, as JSON-like values: the content of a sidecar file."""
        return {
            "kind": self.kind,
            "num_items": self.num_items,
            "time_unit": self.time_unit,
            "provenance": dict(self.provenance),
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trajectory):
            return NotImplemented
        mine, theirs = self.columns(), other.columns()
        return (
            self.metadata() == other.metadata()
            and list(mine) == list(theirs)
            and all(np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine)
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


_CORE = ("ts", *CAPABILITIES)
_RESERVED = (*_CORE, "t", "trajectory")
# Reserved in every capitalisation, since files may use any.
_OPTIONAL = ("verifier", "solver_se", "verifier_se")
_RESUMED = (
    "; reading with columns={'t': 'NAME', 'solver': 'NAME'} sorts them, and keeps the later of the "
    "times that a resumed run repeats"
)
_PERCENT = (
    "; the column looks like percentages: divide it by 100, or read it with "
    "columns={'t': 'NAME', 'solver': 'NAME'}, which does"
)
_MIXED = "; the column has values on both sides of 1: if they are percentages, divide all by 100"


def in_singular(time_unit: str) -> str:
    """The singular of a common unit of time; any other word unchanged.

    >>> in_singular("steps"), in_singular("Epochs"), in_singular("ms")
    ('step', 'Epoch', 'ms')
    """
    plural = isinstance(time_unit, str) and time_unit.lower() in {f"{unit}s" for unit in TIME_UNITS}
    return time_unit[:-1] if plural else time_unit


def _frozen(values: ArrayLike, name: str) -> Series:
    """A read-only float64 copy of one column."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise TrajectoryError("has masked values: leave their rows out", name)
    try:
        array = _as_array(values)
        if array.dtype.kind in "cmM":
            raise TypeError("complex numbers and dates are no float64")
        array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TrajectoryError("contains something that is not a number", name) from error
    except OverflowError as error:
        raise TrajectoryError("contains a number that is too large", name) from error
    if array.ndim != 1:
        raise TrajectoryError(f"must have one dimension, got shape {array.shape}", name)
    array.flags.writeable = False
    return array


def _as_array(values: Any) -> np.ndarray:
    """The values as a NumPy array, with NaN for missing values of a pandas column.

    No float dtype is requested: a pandas column of time-zone-aware dates would then give time since
    1970 instead of objects that are rejected as non-numeric.
    """
    array = np.asarray(values)
    if array.dtype == object and hasattr(values, "isna"):
        return np.where(values.isna(), np.nan, array)
    return array


def _whole(value: Any) -> Any:
    """An integer of any library as a Python `int`; anything else unchanged."""
    if isinstance(value, bool | np.bool_):
        return value
    try:
        return operator.index(value)
    except TypeError:
        return value


def _check(run: Trajectory) -> None:
    """Raise `TrajectoryError` at the first value that no fit could use."""
    _check_metadata(run)
    for name in run.extra:
        reserved = name in _RESERVED or name.lower() in _OPTIONAL
        if name != name.strip() or not name or not name.isprintable() or reserved:
            raise TrajectoryError(f"an extra measurement cannot be named {name!r}")
    for name, values in run.columns().items():
        if len(values) != len(run.ts):
            raise TrajectoryError(f"has {len(values)} rows, but 'ts' has {len(run.ts)}", name)
        if name in _CORE:
            _refuse(~np.isfinite(values), values, name, "must be a finite number")
        else:
            _refuse(np.isinf(values), values, name, "must be a finite number or empty")
    if len(run.ts) < MIN_ROWS:
        raise TrajectoryError(f"at least {MIN_ROWS} rows are needed, got {len(run.ts)}")
    _refuse(np.diff(run.ts, prepend=-np.inf) <= 0, run.ts, "ts", "times must increase", _RESUMED)
    for name in ("solver_se", "verifier_se"):
        values = getattr(run, name)
        if values is not None:
            _refuse(values < 0, values, name, "standard errors must not be negative")
    if run.verifier is None and run.verifier_se is not None:
        raise TrajectoryError("given without a verifier column", "verifier_se")
    if run.kind == "accuracy":
        _check_fractions(run)


def _check_fractions(run: Trajectory) -> None:
    for name in ("solver", "verifier"):
        values, errors = getattr(run, name), getattr(run, f"{name}_se")
        if values is None:
            continue
        if looks_like_percent(values):
            hint = _PERCENT
        else:
            hint = _MIXED if values.min() >= 0 and values.max() <= 100 else ""
        outside = (values < 0) | (values > 1)
        _refuse(outside, values, name, "accuracies must lie in [0, 1]", hint)
        if errors is not None and np.mean(errors > LARGEST_ERROR) > 0.5:
            raise TrajectoryError(
                f"most standard errors exceed {LARGEST_ERROR}, which those of accuracies in [0, 1] "
                "cannot: if they are points, divide them by 100",
                f"{name}_se",
            )


def _refuse(bad: np.ndarray, values: Series, name: str, rule: str, hint: str = "") -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise TrajectoryError(f"{rule}, got {float(values[row])!r}", name, row, hint)


def _check_metadata(run: Trajectory) -> None:
    if run.kind not in get_args(Kind):
        raise TrajectoryError(f"kind must be one of {', '.join(get_args(Kind))}, got {run.kind!r}")
    if not (
        isinstance(run.time_unit, str) and run.time_unit.strip() and run.time_unit.isprintable()
    ):
        raise TrajectoryError(f"time_unit must be a word such as 'epoch', got {run.time_unit!r}")
    if run.num_items is None:
        return
    if type(run.num_items) is not int or run.num_items < 1:
        raise TrajectoryError(f"num_items must be a positive whole number, got {run.num_items!r}")
    if run.num_items > _MAX_ITEMS:
        raise TrajectoryError(f"num_items must be at most {_MAX_ITEMS:g}")
    if run.kind != "accuracy":
        raise TrajectoryError("num_items only goes with kind 'accuracy'")
