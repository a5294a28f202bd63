"""jaxgap: self-improvement of language models through the solver-verifier gap.

The package has two halves that meet in :class:`jaxgap.trajectory.Trajectory`:

- `jaxgap.improve` runs the generate-verify-train loop on a language model and measures it;
- `jaxgap.dynamics` and `jaxgap.fitting` simulate and fit the theory's equations.

Nothing is imported here, so that each half loads only what it needs.
"""

__version__ = "0.1.0"
