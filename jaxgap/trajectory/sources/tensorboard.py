"""Folders of TensorBoard events, through TensorBoard's own reader (the extra `tensorboard`)."""

from pathlib import Path

from jaxgap.errors import InputError
from jaxgap.trajectory.record import TrajectoryError
from jaxgap.trajectory.sources.log import Entry, Log

_KEEP_ALL = 0


def read_tensorboard(folder: Path) -> Log:
    """The scalars in a folder of event files, in the order written; the clock is `step`.

    **Raises:** `InputError` without the extra, `TrajectoryError` if there is no scalar to read.
    """
    try:
        from tensorboard.backend.event_processing import (  # pyright: ignore[reportMissingImports]
            event_accumulator,
        )
    except ImportError as error:
        raise InputError(
            f"{folder}: to read TensorBoard events, pip install 'jaxgap[tensorboard]'"
        ) from error
    events = event_accumulator.EventAccumulator(
        str(folder), size_guidance={"scalars": _KEEP_ALL, "tensors": _KEEP_ALL}
    )
    events.Reload()
    tags = events.Tags()
    logged = [(event, tag) for tag in tags["scalars"] for event in events.Scalars(tag)]
    # TensorFlow 2 and JAX writers store a scalar as a tensor without dimensions.
    logged += [
        (event, tag)
        for tag in tags["tensors"]
        for event in events.Tensors(tag)
        if not event.tensor_proto.tensor_shape.dim and event.tensor_proto.float_val
    ]
    if not logged:
        raise TrajectoryError(f"{folder}: no scalars in its TensorBoard events")
    logged.sort(key=lambda pair: pair[0].wall_time)
    entries = [
        Entry(f"{folder}: '{tag}' at step {event.step}", {"step": event.step, tag: _value(event)})
        for event, tag in logged
    ]
    return Log(str(folder), "step", tuple(entries))


def _value(event) -> float:
    return event.value if hasattr(event, "value") else event.tensor_proto.float_val[0]
