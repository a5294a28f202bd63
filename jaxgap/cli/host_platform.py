"""Commands that fit and draw compute on the host, even if there are accelerators."""

import os

from jaxgap.cli.compile_cache import use_compile_cache


def compute_on_host() -> None:
    """Compute on the host, and cache the programs compiled for it.

    A command fits a few curves in float64, for which accelerators are not made; and a run may be
    using them. XLA's own log is silenced: it calls it an error that it has simplified a program for
    long enough, and what fails is raised as well.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    leave_accelerators_alone()
    use_compile_cache()


def leave_accelerators_alone() -> None:
    """Do not even look for them: a run may use them, or JAX may expect some that do not exist."""
    import jax

    jax.config.update("jax_platforms", "cpu")
