"""How linear is E(G) really? Answered by policies so small that it can be computed exactly.

Toy policies are trained by gradient flow on the answers that their verifier selects, with exact
expectations throughout (`jaxgap.dynamics.toy_policy`). Each is followed until the solver's
uncertainty is 17 % of its initial value, as in the paper's Figure 4, and measured at 20 times. Then
the theory's assumptions are tested: is the closing speed a function of the gap, is that function
linear, is dU_v/dU_s constant, and which limit does the paper's law predict when fitted to the whole
run or to its first half? The true limit is known: each of these policies becomes certain of one
answer to each prompt, so U_s = U_v = 0.

    python experiments/toy_policies.py --json experiments/results/toy_policies.json \
        --plot experiments/results/toy_policies.png
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxgap.dynamics import (
    AbstractToyPolicy,
    BernoulliPolicy,
    PolicyRun,
    SoftmaxPolicy,
    train_policy,
)
from jaxgap.fitting import (
    DriftingRatioLaw,
    FitResult,
    GeneralLinearLaw,
    LinearLaw,
    PowerLaw,
    fit_many,
)
from jaxgap.report.style import GAP, MUTED, SOLVER, VERIFIER, new_figure, to_png
from jaxgap.trajectory import Trajectory

NUM_PROMPTS, NUM_ANSWERS = 100, 16
END = 0.17
NUM_ROWS = 20
OTHER_LAWS = (PowerLaw(), DriftingRatioLaw(), GeneralLinearLaw())
COLOURS = (SOLVER, VERIFIER, GAP, "#CC79A7", "#E69F00", "#56B4E9")


def softmax(
    *, head_start: float, sensitivity: float, false_alarms: float, blind_spots: float, n: int
) -> SoftmaxPolicy:
    """Prompts with 16 answers each and random logits; the first answer is right.

    `head_start` is added to the right answer's logit. A wrong answer passes with probability
    `false_alarms`, except that one in `blind_spots` passes as easily as a right one.
    """
    rng = np.random.default_rng(20261125)
    logits = rng.standard_normal((NUM_PROMPTS, NUM_ANSWERS))
    logits[:, 0] += head_start
    right = np.zeros_like(logits)
    right[:, 0] = 1.0
    blind = rng.random(logits.shape) < blind_spots
    passing = np.where((right > 0) | blind, sensitivity, false_alarms)
    return SoftmaxPolicy(
        logits=jnp.asarray(logits),
        is_right=jnp.asarray(right),
        pass_probs=jnp.asarray(passing),
        num_tokens=jnp.ones(logits.shape),
        num_candidates=n,
    )


def right_or_wrong(log_odds: float) -> BernoulliPolicy:
    """One prompt, and a verifier without errors."""
    return BernoulliPolicy(
        logits=jnp.array([log_odds]), sensitivity=1.0, false_alarms=0.0, num_candidates=16
    )


def policies() -> dict[str, AbstractToyPolicy]:
    """From the smallest policy to one with a verifier that can be fooled."""
    noisy: dict[str, Any] = {"sensitivity": 0.9, "false_alarms": 0.2, "head_start": 1.5}
    return {
        "right or wrong, p = .62": right_or_wrong(0.5),
        "right or wrong, p = .18": right_or_wrong(-1.5),
        "16 answers, verifier without errors": softmax(
            head_start=1.5, sensitivity=1.0, false_alarms=0.0, blind_spots=0.0, n=16
        ),
        "16 answers, noisy verifier": softmax(**noisy, blind_spots=0.0, n=16),
        "the same with N = 2": softmax(**noisy, blind_spots=0.0, n=2),
        "16 answers, verifier with blind spots": softmax(**noisy, blind_spots=0.3, n=16),
    }


def follow(policy: AbstractToyPolicy) -> PolicyRun:
    """The run, finely resolved, until the solver's uncertainty is `END` of its first value."""
    scout = train_policy(policy, jnp.linspace(0.0, 150.0, 601))
    solver = np.asarray(scout.ys[:, 0])
    end = int(np.argmax(solver < END * solver[0]))
    if not end:
        raise RuntimeError(f"the solver's uncertainty is still {solver[-1] / solver[0]:.2f}")
    return train_policy(policy, jnp.linspace(0.0, float(scout.ts[end]), 20 * (NUM_ROWS - 1) + 1))


def linearity(run: PolicyRun) -> dict[str, Any]:
    """Tests on the run: whether E(G) is a function, is linear, and has a constant ratio."""
    gap, speed = np.asarray(run.gap), np.asarray(run.closing_speed)
    drive, ratio = -np.asarray(run.slopes[:, 0]), np.asarray(run.ratio)
    peak = int(gap.argmax())
    closing = slice(peak, None)
    # From somewhat past the peak, since the speed is close to zero near it.
    steady = slice(peak + (len(gap) - peak) // 4, None)
    slope, intercept = np.polyfit(np.log(gap[steady]), np.log(speed[steady]), 1)
    del intercept
    return {
        "gap": {"first": float(gap[0]), "widest": float(gap[peak]), "last": float(gap[-1])},
        "time_of_widest_gap": float(run.ts[peak] / run.ts[-1]),
        "r2_of_linear_drive_in_gap": _r2_of_line(gap, drive),
        "r2_of_linear_speed_while_closing": _r2_of_line(gap[closing], speed[closing]),
        "exponent_of_speed_in_gap": float(slope),
        "drive_closing_over_opening": _hysteresis(gap, drive, peak),
        "ratio": {
            name: float(np.interp(part, np.linspace(0, 1, len(ratio)), ratio))
            for name, part in (("first", 0.0), ("fifth", 0.2), ("half", 0.5), ("last", 1.0))
        },
        "accuracy": {
            "first": np.asarray(run.accuracies[0]).tolist(),
            "last": np.asarray(run.accuracies[-1]).tolist(),
        },
    }


def _r2_of_line(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1] ** 2)


def _hysteresis(gap: np.ndarray, drive: np.ndarray, peak: int) -> float | None:
    """The ratio of the drives at the same gap, closing over opening: 1 if it is a function."""
    if peak == 0:
        return None
    middle = 0.5 * (max(gap[0], gap[-1]) + gap[peak])
    up = np.interp(middle, gap[: peak + 1], drive[: peak + 1])
    down = np.interp(middle, gap[peak:][::-1], drive[peak:][::-1])
    return float(down / up)


def measured(run: PolicyRun, num_rows: int) -> Trajectory:
    """The first rows of the run as a loop would measure them."""
    rows = slice(0, 20 * num_rows, 20)
    ys = np.asarray(run.ys)[rows]
    return Trajectory(np.asarray(run.ts)[rows], ys[:, 0], ys[:, 1], time_unit="lr x steps")


def verdict(run: PolicyRun, whole: FitResult, half: FitResult) -> dict[str, Any]:
    """The end of the run and its limits as predicted by the paper's law, beside the true end."""
    end = float(run.ts[-1])
    truth = float(run.ys[-1, 0])
    predicted = float(half.predict([end]).solver.estimate[0])
    return {
        "solver_at_end": truth,
        "from_half": predicted,
        "from_half_relative_error": predicted / truth - 1,
        "limit_from_half": half.limits["solver"].to_dict(),
        "limit_from_whole": whole.limits["solver"].to_dict(),
        "r2_of_whole": whole.r2,
        "warnings": list(whole.warnings),
    }


def study() -> tuple[dict[str, Any], dict[str, PolicyRun], dict[str, FitResult]]:
    """The results for every policy, the runs, and the fits to their first halves."""
    with jax.enable_x64(True):
        followed = {name: follow(policy) for name, policy in policies().items()}
    # NumPy arrays stay in 64 bits whatever JAX's setting.
    runs = {name: jax.tree.map(np.asarray, run) for name, run in followed.items()}
    wholes = [measured(run, NUM_ROWS) for run in runs.values()]
    halves = [measured(run, NUM_ROWS // 2) for run in runs.values()]
    by_whole, by_half = fit_many(LinearLaw(), wholes), fit_many(LinearLaw(), halves)
    others = {law.name: fit_many(law, wholes) for law in OTHER_LAWS}
    result = {}
    for index, (name, run) in enumerate(runs.items()):
        cost = float(by_whole[index].source.raw.cost)
        result[name] = {
            "duration": float(run.ts[-1]),
            **linearity(run),
            "papers_law": verdict(run, by_whole[index], by_half[index]),
            "relative_squared_error": {
                law: float(results[index].source.raw.cost) / cost for law, results in others.items()
            },
            "exponent_of_power_law": others["power"][index].parameters["exponent"].to_dict(),
        }
    return result, runs, dict(zip(runs, by_half, strict=True))


def table(result: dict[str, Any]) -> str:
    """The main numbers, with one row per policy."""
    heads = (
        "gap first/widest/last",
        "R2 E(G)",
        "R2 closing",
        "exponent",
        "down/up",
        "ratio first/fifth/half/last",
        "U_s end: from half",
        "limit, whole",
    )
    rows: list[tuple[str, ...]] = [("", *heads)]
    for name, found in result.items():
        gap, ratio, law = found["gap"], found["ratio"], found["papers_law"]
        hysteresis = found["drive_closing_over_opening"]
        limit = law["limit_from_whole"]["estimate"]
        rows.append(
            (
                name,
                "/".join(f"{gap[key]:.2f}" for key in ("first", "widest", "last")),
                f"{found['r2_of_linear_drive_in_gap']:.2f}",
                f"{found['r2_of_linear_speed_while_closing']:.2f}",
                f"{found['exponent_of_speed_in_gap']:.2f}",
                "-" if hysteresis is None else f"{hysteresis:.2f}",
                "/".join(f"{ratio[key]:.2f}" for key in ("first", "fifth", "half", "last")),
                f"{law['solver_at_end']:.3f}: {100 * law['from_half_relative_error']:+.0f} %",
                "withheld" if limit is None else f"{limit:.3f}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def draw(figure: Figure, runs: dict[str, PolicyRun], fits: dict[str, FitResult]) -> None:
    """The drive against the gap, the speed while it closes, the ratio, and one forecast."""
    axes = figure.subplots(2, 2)
    drives, speeds, ratios, curve = axes.ravel()
    for (name, run), colour in zip(runs.items(), COLOURS, strict=True):
        gap, drive = np.asarray(run.gap), -np.asarray(run.slopes[:, 0])
        peak = int(gap.argmax())
        drives.plot(gap / gap[peak], drive / drive.max(), color=colour, label=name)
        drives.plot(gap[0] / gap[peak], drive[0] / drive.max(), "o", color=colour, markersize=4)
        speed = np.asarray(run.closing_speed)
        later = slice(peak + (len(gap) - peak) // 20, None)
        speeds.loglog(gap[later] / gap[peak], speed[later] / speed.max(), color=colour)
        fallen = 1 - np.asarray(run.ys[:, 0]) / run.ys[0, 0]
        ratios.plot(fallen, np.asarray(run.ratio), color=colour)
    guide = np.array([0.35, 1.0])
    for power, style in ((1, "--"), (2, ":")):
        speeds.loglog(guide, guide**power, style, color=MUTED, label=f"slope {power}")
    drives.set(xlim=(-0.1, 1.05), ylim=(-0.1, 1.05), xlabel="gap / widest gap", ylabel="-dU_s/dt")
    drives.set_title("What drives the solver, against the gap (dots: the beginning)")
    speeds.set(xlabel="gap / widest gap", ylabel="-dG/dt")
    speeds.set_title("How fast the gap closes, past its widest")
    speeds.legend()
    ratios.axhline(1.0, color=MUTED, linewidth=0.8)
    ratios.set(xlim=(0, 0.85), ylim=(-0.5, 4), xlabel="part of U_s gone", ylabel="dU_v/dU_s")
    ratios.set_title("The ratio is far from constant")
    name = "16 answers, noisy verifier"
    _draw_forecast(curve, runs[name], fits[name])
    curve.set_title(f"{name}: the paper's law from half")
    figure.legend(*drives.get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _draw_forecast(ax, run: PolicyRun, fitted: FitResult) -> None:
    ts = np.asarray(run.ts)
    half = ts[20 * (NUM_ROWS // 2 - 1)]
    prediction = fitted.predict(ts[:: len(ts) // 40])
    assert prediction.verifier is not None
    both = ((SOLVER, prediction.solver, "U_s"), (VERIFIER, prediction.verifier, "U_v"))
    for column, (colour, band, label) in enumerate(both):
        ax.plot(ts, np.asarray(run.ys[:, column]), color=colour, label=label)
        ax.plot(prediction.ts, band.estimate, "--", color=colour, linewidth=1)
    ax.axvspan(0, half, color=MUTED, alpha=0.1, linewidth=0)
    ax.set(xlabel="learning rate x steps", ylabel="nats", ylim=(0, None))
    ax.legend()


def main() -> None:
    """Run the study, print its table, and write the JSON and the picture."""
    parser = argparse.ArgumentParser(description="test the theory's assumptions on toy policies")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--plot", type=Path, required=True, help="draw the picture here")
    args = parser.parse_args()
    result, runs, fits = study()
    print(table(result))
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    with new_figure(11.0, 8.0) as figure:
        draw(figure, runs, fits)
        args.plot.write_bytes(to_png(figure, dots_per_inch=110))


if __name__ == "__main__":
    main()
