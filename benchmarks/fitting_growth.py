"""How the rate of jaxgap's fits scales with the batch, the points and the parameters."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from fitting_case import Problems, closed_form_residuals
from jaxtyping import Array, Float

from jaxgap.fitting.least_squares.batched_levenberg_marquardt import levenberg_marquardt


def bumps(y: Float[Array, " params"], args: Any) -> Float[Array, " rows"]:
    """Gaussian bumps of unknown heights and positions, for any even number of parameters."""
    ts, data = args
    heights, places = y[::2], y[1::2]
    return jnp.sum(heights * jnp.exp(-((ts[:, None] - places) ** 2)), axis=1) - data


def bump_problems(num_curves: int, num_params: int, key: Array) -> tuple[Array, Any]:
    places = 3.0 * jnp.arange(num_params // 2)
    centre = jnp.stack([jnp.ones_like(places), places], axis=1).ravel()
    truth = centre + 0.2 * jax.random.uniform(key, (num_curves, num_params))
    ts = jnp.broadcast_to(jnp.linspace(-2.0, 11.0, 40), (num_curves, 40))
    data = jax.vmap(bumps)(truth, (ts, jnp.zeros((num_curves, 40))))
    noise = 0.01 * jax.random.normal(key, data.shape)
    return jnp.broadcast_to(centre, truth.shape), (ts, data + noise)


def growth() -> dict[str, list[tuple[int, float]]]:
    """Fits per second by batch size, points per curve, and parameters: best of ten.

    No engines are compared within a round here, so the least disturbed round is kept.
    """
    key = jax.random.key(1)
    rates: dict[str, list[tuple[int, float]]] = {"batch": [], "points": [], "parameters": []}

    def rate(residual_fn: Callable, y0: Any, args: Any) -> float:
        solve = lambda: levenberg_marquardt(residual_fn, y0, args).cost.block_until_ready()  # noqa: E731
        solve()
        seconds = []
        for _ in range(10):
            start = time.perf_counter()
            solve()
            seconds.append(time.perf_counter() - start)
        return len(y0) / min(seconds)

    for size in (1, 10, 100, 1000, 10_000, 50_000):
        problems = Problems(size, 20, key)
        data = (problems.ts, problems.data)
        rates["batch"].append((size, rate(closed_form_residuals, problems.y0, data)))
    for num_points in (5, 10, 20, 40, 80, 160):
        problems = Problems(1000, num_points, key)
        data = (problems.ts, problems.data)
        rates["points"].append((num_points, rate(closed_form_residuals, problems.y0, data)))
    for num_params in (2, 4, 6, 8):
        rates["parameters"].append((num_params, rate(bumps, *bump_problems(1000, num_params, key))))
    return rates


def draw(rates: dict[str, list[tuple[int, float]]], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    labels = {"batch": "curves in the batch", "points": "points of each series"}
    for name, pairs in rates.items():
        figure, axes = plt.subplots(figsize=(4.5, 3.2), layout="constrained")
        axes.loglog(*zip(*pairs, strict=True), marker="o")
        axes.set(xlabel=labels.get(name, name), ylabel="fits per second")
        axes.set_xticks([size for size, _ in pairs], [f"{size:,}" for size, _ in pairs])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        figure.savefig(folder / f"growth_{name}.png", dpi=150)
        plt.close(figure)
