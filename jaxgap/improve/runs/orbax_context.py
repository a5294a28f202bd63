"""Orbax's options for the checkpoints of a run."""

from __future__ import annotations

from orbax.checkpoint import v1 as ocp


def orbax_context(process: int | None = None) -> ocp.Context:
    """The options for writing and reading, by all processes or by one of them on its own."""
    context = ocp.Context()
    if process is not None:
        context.multiprocessing_options.primary_host = process
        context.multiprocessing_options.active_processes = {process}
    # Compression would shrink floats by 8 % at four times the CPU time.
    context.array_options.saving.use_compression = False
    # Allows loading without the optimiser state; the digests catch anything else that is missing.
    context.pytree_options.loading.partial_load = True
    return context
