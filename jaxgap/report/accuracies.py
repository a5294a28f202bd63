"""The figure of accuracies: whether answers became correct, not only likely."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxgap.report.style import GAP, SOLVER, VERIFIER, boxed_legend, label_times, new_figure
from jaxgap.trajectory import Trajectory

_LINES = (
    ("solver_accuracy", "sampled answers", SOLVER),
    ("verifier_accuracy", "selected answers", VERIFIER),
    ("judging_accuracy", "judgements", GAP),
)


def has_accuracies(run: Trajectory) -> bool:
    """Whether the run measured any accuracy to draw."""
    return any(name in run.extra for name, _, _ in _LINES)


def draw_accuracies(run: Trajectory) -> Figure:
    """Accuracies on held-out prompts over the run, each with a band of two standard errors.

    Any sharpening lowers the uncertainty, right or wrong, so it is never shown without this.
    """
    with new_figure(7.2, 3.4) as figure:
        ax = figure.add_subplot()
        for name, label, colour in _LINES:
            if name in run.extra:
                _draw_line(ax, run, name, label, colour)
        ax.set_ylim(0, 1)
        label_times(ax, run.time_unit)
        ax.set_ylabel("fraction correct")
        ax.set_title("Accuracy on held-out prompts")
        boxed_legend(ax)
    return figure


def _draw_line(ax: Axes, run: Trajectory, name: str, label: str, colour: str) -> None:
    values, error = run.extra[name], run.extra.get(f"{name}_se")
    line = {"color": colour, "marker": "o", "markersize": 4, "linewidth": 1.4}
    ax.plot(run.ts, values, label=label, clip_on=False, **line)  # keep markers at 1 whole
    if error is not None:
        ax.fill_between(
            run.ts, values - 2 * error, values + 2 * error, color=colour, alpha=0.15, linewidth=0
        )
