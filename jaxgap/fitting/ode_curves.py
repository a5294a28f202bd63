"""Curves by numerical integration, for laws that have no closed form."""

import diffrax
import equinox as eqx
from jaxtyping import Array, Float

from jaxgap.dynamics.abstract_dynamics import AbstractDynamics
from jaxgap.dynamics.simulation import simulate


class OdeCurves(eqx.Module):
    """Computes the curves for a fit with Diffrax: `fit(law, trajectory, curve_fn=OdeCurves())`.

    A solve that fails at some trial parameters gives infinite values. The fit rejects them and
    carries on, as does the rest of the batch.

    **Arguments:**

    - `ode_solver`: by default `diffrax.Tsit5()`.
    - `stepsize_controller`: by default `diffrax.PIDController(rtol=1e-10, atol=1e-12)`. A fit
        differentiates the curves, so they have to be smooth to well below the noise.
    - `max_steps`: the most steps of one solve.

    **Example:**

    >>> import jax
    >>> from jaxgap.dynamics import GapDynamics, LinearPotential, RankOneCoupling
    >>> dynamics = GapDynamics(LinearPotential(0.5, 0.0), RankOneCoupling(0.5), 4.0, 2.0)
    >>> with jax.enable_x64(True):
    ...     OdeCurves()(dynamics, jax.numpy.array([0.0, 1.0])).round(6).tolist()
    [[4.0, 2.0], [2.426123, 1.213061]]
    """

    ode_solver: diffrax.AbstractSolver = diffrax.Tsit5()
    stepsize_controller: diffrax.AbstractStepSizeController = diffrax.PIDController(
        rtol=1e-10, atol=1e-12
    )
    max_steps: int = eqx.field(static=True, default=1024)

    def __call__(
        self, dynamics: AbstractDynamics, ts: Float[Array, " times"]
    ) -> Float[Array, "times 2"]:
        ys = simulate(
            dynamics,
            ts,
            ode_solver=self.ode_solver,
            stepsize_controller=self.stepsize_controller,
            adjoint=diffrax.ForwardMode(),
            max_steps=self.max_steps,
            throw=False,
        ).ys
        assert ys is not None
        return ys
