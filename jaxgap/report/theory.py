"""Two plots that test the theory without trusting the fit.

The gap's rate of closing against the gap shows f(G) itself: a straight line for the paper's linear
potential. Verifier against solver shows the coupling: for any f, the theory predicts a straight
line of slope r = beta / alpha.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.fitting import FitResult
from jaxgap.fitting.own_terms import own_terms
from jaxgap.fitting.precision import double_precision
from jaxgap.report.style import (
    GAP,
    MEASURED,
    MUTED,
    boxed_legend,
    least_span,
    markers,
    new_figure,
    unit_of,
    widen,
)
from jaxgap.report.times import curve_times
from jaxgap.trajectory import Trajectory


def draw_theory(run: Trajectory, result: FitResult) -> Figure:
    """The rate of closing against the gap, and verifier against solver, with the law's curves.

    **Raises:** `ValueError` for a run without a verifier, which has neither.
    """
    if run.gap is None or run.verifier is None:
        raise ValueError("run must have a verifier series to draw the gap")
    prediction = result.predict(curve_times(run.ts))
    if prediction.gap is None or prediction.verifier is None:
        raise ValueError("result must come from a fit with a verifier")
    with new_figure(7.2, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        solver, verifier = prediction.solver.estimate, prediction.verifier.estimate
        closing = _closing_speed(result, prediction.ts, solver, verifier)
        _draw_potential(left, run, prediction.gap.estimate, closing)
        style = {"color": MEASURED, **markers(run.num_rows)}
        right.plot(run.solver, run.verifier, "o", label="measured", **style)
        right.plot(solver, verifier, color=MUTED, label="law")
        right.set_xlabel("solver" + unit_of(run.kind))
        right.set_ylabel("verifier" + unit_of(run.kind))
        right.set_title("Verifier against solver")
        boxed_legend(right)
        widen(right, x=least_span(run), y=least_span(run))
    return figure


def _closing_speed(
    result: FitResult,
    ts: Float[np.ndarray, " times"],
    solver: Float[np.ndarray, " times"],
    verifier: Float[np.ndarray, " times"],
) -> Float[np.ndarray, " times"]:
    """The law's `-dG/dt` where its curves are at `ts`, from its equations."""
    capabilities = np.stack([solver, verifier], axis=-1)
    states = own_terms(capabilities, result.kind == "accuracy")
    vector_field: Callable[..., Any] = result.dynamics.vector_field
    with double_precision():
        slopes = np.asarray(jax.vmap(vector_field)(ts, states))
    return slopes[:, 1] - slopes[:, 0]


def _draw_potential(ax: Axes, run: Trajectory, fitted: np.ndarray, closing: np.ndarray) -> None:
    gap = np.asarray(run.gap)
    middle = (gap[1:] + gap[:-1]) / 2
    speed = -np.diff(gap) / np.diff(run.ts)
    ax.plot(middle, speed, "o", color=GAP, label="measured", **markers(run.num_rows))
    ax.plot(fitted, closing, color=MUTED, label="law")
    least = least_span(run)
    widen(ax, x=least, y=least / (run.ts[-1] - run.ts[0]))
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.set_xlabel("gap" + unit_of(run.kind))
    unit = "nats" if run.kind == "uncertainty" else "accuracy"
    ax.set_ylabel(f"rate of closing ({unit} per {run.time_unit})")
    ax.set_title("Rate of closing against the gap")
    boxed_legend(ax)
