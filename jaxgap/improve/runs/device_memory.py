"""The error message of a run that exceeds the device's memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from jax.errors import JaxRuntimeError

from jaxgap.errors import RunError


@contextmanager
def out_of_memory_in_one_line() -> Iterator[None]:
    """Turn running out of device memory into a one-line error.

    **Raises:** `RunError` in that case; other exceptions pass through.
    """
    try:
        yield
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise RunError(
            "it does not fit the device's memory: begin anew with a lower `prompts_per_call`, "
            "`microbatch_size` or `max_new_tokens`, or with `remat=True`"
        ) from error
