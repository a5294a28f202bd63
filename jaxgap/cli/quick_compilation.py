"""Compiling in a third of the time, for programs that run once or twice."""

import gc
import os

_NO_EMITTERS = "--xla_cpu_use_fusion_emitters=false"


def compile_quickly() -> None:
    """Let XLA optimise little, here and in processes that this one starts, and trace without pause.

    It has to be called before JAX computes anything. To compile a fit takes seconds and to run it
    milliseconds, so that a command which fits one file waits for the optimiser alone. The emitters
    of fused loops are the dearest part of that; they can be left out before jax 0.11 only.

    Tracing makes objects by the hundred thousand, and few of them are garbage: by default a sixth
    of its time goes into looking for that. Not for the loop, whose garbage may hold large arrays.
    """
    gc.set_threshold(100_000, 10, 10)
    import jax

    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    jax.config.update("jax_disable_most_optimizations", True)
    if jax.__version_info__ < (0, 11):
        flags = os.environ.get("XLA_FLAGS", "")
        if _NO_EMITTERS not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {_NO_EMITTERS}".lstrip()
