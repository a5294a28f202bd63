"""Commands that fit and draw compute on the host, whatever accelerators there are."""

from jaxgap.cli.compile_cache import use_compile_cache


def compute_on_host() -> None:
    """Compute on the host, and keep what is compiled for it.

    The few curves of a command are fitted in float64 for which accelerators are not made, and which
    a run may be holding.
    """
    leave_accelerators_alone()
    use_compile_cache()


def leave_accelerators_alone() -> None:
    """Do not even look for them: a run may use them, or JAX expect some where there are none."""
    import jax

    jax.config.update("jax_platforms", "cpu")
