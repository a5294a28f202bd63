"""Commands that fit and draw compute on the host, even if there are accelerators."""

from jaxgap.cli.compile_cache import use_compile_cache


def compute_on_host() -> None:
    """Compute on the host, and cache the programs compiled for it.

    A command fits a few curves in float64, for which accelerators are not made; and a run may be
    using them.
    """
    leave_accelerators_alone()
    use_compile_cache()


def leave_accelerators_alone() -> None:
    """Do not even look for them: a run may use them, or JAX may expect some that do not exist."""
    import jax

    jax.config.update("jax_platforms", "cpu")
