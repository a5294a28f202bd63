"""A fit on disk, complete, so that a loaded fit can do everything without refitting.

The file is JSON. It contains the law, the curves, the minimum found and every number with its
interval (:mod:`jaxgap.fitting.saving.tree_json`), and a digest that detects a damaged file. The
public form of a result for other programs is `to_dict()`, which is smaller and cannot be loaded.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgap.atomic_files import replace_file
from jaxgap.errors import InputError
from jaxgap.fitting.curves import Curves
from jaxgap.fitting.laws.law import LIMITS
from jaxgap.fitting.precision import double_precision
from jaxgap.fitting.problem import FitProblem
from jaxgap.fitting.results.result import FitResult
from jaxgap.fitting.saving.tree_json import decode, encode
from jaxgap.fitting.selection import AveragedResult

_FORMAT = "jaxgap fit"
_VERSION = 2
# Larger than a fit of the longest allowed run by every law.
_MAX_BYTES = 256 * 2**20


def save_result(result: FitResult | AveragedResult, path: str | Path) -> None:
    """Write a fit to a file that :func:`load_result` reads without loss.

    **Arguments:**

    - `result`: from :func:`jaxgap.fitting.fit` or :func:`jaxgap.fitting.selection.fit_auto`.
    - `path`: of the JSON file; an existing file, or the target of a link, is replaced atomically.

    **Raises:**

    `ValueError` if its law, minimiser or `curve_fn` is not one of jaxgap's own.

    **Example:**

    >>> import tempfile
    >>> from jaxgap.fitting import LinearLaw, fit
    >>> from jaxgap.trajectory import Trajectory
    >>> result = fit(LinearLaw(), Trajectory([0, 1, 2, 3], [3.0, 2.2, 1.8, 1.5]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_result(result, f"{folder}/fit.json")
    ...     load_result(f"{folder}/fit.json").to_dict() == result.to_dict()
    True
    """
    replace_file(os.path.realpath(path), encode_result(result))


def encode_result(result: FitResult | AveragedResult) -> bytes:
    """A fit as the content of the file that :func:`save_result` writes.

    **Raises:** `ValueError` as :func:`save_result` does.
    """
    body = encode(result)
    form = {"format": _FORMAT, "version": _VERSION, "sha256": _digest(body), "result": body}
    return (json.dumps(form, allow_nan=False) + "\n").encode()


def load_result(path: str | Path) -> FitResult | AveragedResult:
    """Read a fit that :func:`save_result` has written.

    **Raises:**

    `InputError` (a `ValueError`), with a one-line message, for a file that is missing, too large,
    damaged, or not a saved fit.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}: is larger than any saved fit")
        form = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise InputError(f"{path}: is not a saved fit: it is not JSON") from None
    return _read(form, path)


def _read(form: Any, path: Path) -> FitResult | AveragedResult:
    if not isinstance(form, dict) or form.get("format") != _FORMAT:
        raise InputError(f"{path}: is not a saved fit; write one with save_result")
    if form.get("version") != _VERSION:
        raise InputError(f"{path}: is of another version of jaxgap; save the fit again")
    body = form.get("result")
    if form.get("sha256") != _digest(body):
        raise InputError(f"{path}: is damaged: its digest does not match; save the fit again")
    try:
        result = decode(body)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: is nested too deeply for a saved fit") from None
    if not isinstance(result, FitResult | AveragedResult):
        raise InputError(f"{path}: contains not a fit but a {type(result).__name__}")
    if not _is_whole(result):
        raise InputError(f"{path}: is not a saved fit: its parts do not belong together")
    return result


def _is_whole(result: FitResult | AveragedResult) -> bool:
    """Whether every law can be evaluated at its fit, and its parameters match the report."""
    if not set(result.limits) == set(result.r2) == {limit.name for limit in LIMITS}:
        return False
    if isinstance(result, FitResult):
        source = result.source
        problem, curves, raw = source.problem, source.curves, source.raw
        named = set(result.parameters) <= {each.name for each in problem.law.parameters}
        shown = len(source.numbers.estimates) == len(problem.visible(curves.has_verifier))
        fits = raw.fitted.shape == curves.ys.shape and len(raw.starts) > 0
        return named and shown and fits and _computable(problem, curves, raw.coordinates)
    if not result.weights or result.best not in result.candidates:
        return False
    # Without a verifier the laws have one limit; laws of little weight have none.
    measured = set(result.limits) if result.has_verifier else {"solver"}
    if any(law.limits.keys() not in (set(), measured) for law in result.laws.values()):
        return False
    return all(
        name in result.weights
        and each.fit.coordinates.shape[:1] == (1,)
        and _computable(each.problem, each.curves, each.fit.coordinates[0])
        for name, each in result.candidates.items()
    )


def _computable(problem: FitProblem, curves: Curves, coordinates: Float[Array, " n"]) -> bool:
    """Whether all shapes match, checked by tracing, which computes nothing."""
    if len(curves.ts) != len(curves.ys):
        return False
    try:
        with double_precision():
            starts = jax.eval_shape(problem.starts, jax.tree.map(jnp.asarray, curves))
            jax.eval_shape(problem.residuals, coordinates, curves)
            numbers = jax.eval_shape(problem.numbers, coordinates, curves)
    # A law may fail in any way on inputs that it was not made for.
    except Exception:
        return False
    return starts.shape[1:] == coordinates.shape and numbers.shape == (len(problem.reported),)


def _digest(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
